import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { figuresOf } from "../support/push-load.ts";
import { expectAllDelivered, unaffected } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

const FROZEN_MS = 6_000;
/** How long a push waits for a frozen member before it moves on: stall_timeout, and as long again for the unanswered probe. */
const GIVEN_UP_AFTER_MS = 2_000;

/** With the check for consistency, which takes the longer the more groups there are, the Pushgateways' own work would hide the router's. */
const UNCHECKED = ["--push.disable-consistency-check"];
/** So many clients that more pushes run into a frozen member than it may have in flight. */
const MANY_CLIENTS = { groups: 2_000 };
/** Most pushes go to several members as long as most of them are frozen, and the machine must have the time for that. */
const FEWER_PUSHES = { groups: 2_000, pushesPerSecond: 250 };

await describeWithParts(["pushgateway-1.11.0", "consul"], "Pushgateways that freeze and thaw", () => {
  test.each([
    { title: "one, members from configured servers", count: 1, consul: false, load: MANY_CLIENTS },
    { title: "one, members from Consul", count: 1, consul: true, load: MANY_CLIENTS },
    { title: "two at once, members from configured servers", count: 2, consul: false, load: MANY_CLIENTS },
    { title: "most at once, members from configured servers", count: 3, consul: false, load: FEWER_PUSHES },
  ])(
    "cost no push, and delay only their own: $title",
    async ({ title, count, consul, load }) => {
      await using cluster = await FaultCluster.start({ consul, load, pushgatewayFlags: UNCHECKED });
      const frozen = cluster.pushgateways.slice(0, count);
      const fault = await cluster.beginFault(`freeze ${title}`, frozen);
      for (const pushgateway of frozen) pushgateway.kill("SIGSTOP");
      await Bun.sleep(FROZEN_MS);
      for (const pushgateway of frozen) await cluster.waitForState(pushgateway, "down");
      for (const pushgateway of frozen) pushgateway.kill("SIGCONT");
      await expectAllDelivered(cluster, fault);
      expect(await cluster.metric("dynamic_sharding_failovers_total", { reason: "unresponsive" })).toBeGreaterThan(0);
      // If the others had to wait with the frozen member's, half of them would wait for twice as long as this and more.
      const meanwhile = unaffected(fault, cluster.load.records).filter(
        ({ startedAt }) => startedAt < fault.startedAt + GIVEN_UP_AFTER_MS,
      );
      expect(figuresOf(meanwhile).p50).toBeLessThan(GIVEN_UP_AFTER_MS / 4);
    },
    90_000,
  );
});
