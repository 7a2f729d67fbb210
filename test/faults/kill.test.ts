import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

const DEAD_MS = 4_000;

await describeWithParts(["pushgateway-1.11.0", "consul"], "A Pushgateway that is killed and comes back", () => {
  test.each([
    { discovery: "configured servers", options: {} },
    { discovery: "Consul", options: { consul: true } },
  ])(
    "costs no push with members from $discovery",
    async ({ discovery, options }) => {
      await using cluster = await FaultCluster.start(options);
      const victim = cluster.at(0);
      const fault = await cluster.beginFault(`kill -9, members from ${discovery}`, [victim]);
      await cluster.killAtWork(victim);
      await victim.exited();
      await cluster.waitForState(victim, "down");
      expect(await cluster.metric("dynamic_sharding_members", { state: "down" })).toBe(1);
      await Bun.sleep(DEAD_MS);
      await victim.start();
      await expectAllDelivered(cluster, fault);
      expect(await cluster.metric("dynamic_sharding_failovers_total", { reason: "unreachable" })).toBeGreaterThan(0);
    },
    90_000,
  );
});
