import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { figuresOf } from "../support/push-load.ts";
import { expectAllDelivered, unaffected } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

const FROZEN_MS = 8_000;
/** Half the time after which the router gives up a push to a frozen member: stall_timeout and as long for its probe. */
const GIVEN_UP_AFTER_MS = 2_000;

await describeWithParts(["pushgateway-1.11.0", "consul"], "Pushgateways that freeze and thaw", () => {
  test.each([
    ["one, members from configured servers", false, 1],
    ["one, members from Consul", true, 1],
    ["two at once, members from configured servers", false, 2],
  ])(
    "cost no push, and delay only their own: %s",
    async (title, consul, count) => {
      await using cluster = await FaultCluster.start({ consul });
      const owners = await cluster.owners();
      const frozen = cluster.pushgateways.slice(0, count);
      const fault = {
        title: `freeze ${title}`,
        startedAt: performance.now(),
        owners,
        victims: frozen.map(({ address }) => address),
      };
      for (const pushgateway of frozen) pushgateway.kill("SIGSTOP");
      await Bun.sleep(FROZEN_MS);
      for (const pushgateway of frozen) await cluster.waitForState(pushgateway, "down");
      for (const pushgateway of frozen) pushgateway.kill("SIGCONT");
      await expectAllDelivered(cluster, fault);
      expect(await cluster.metric("dynamic_sharding_failovers_total", { reason: "unresponsive" })).toBeGreaterThan(0);
      expect(figuresOf(unaffected(fault, cluster.load.records)).max).toBeLessThan(GIVEN_UP_AFTER_MS);
    },
    90_000,
  );
});
