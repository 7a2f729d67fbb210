import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

await describeWithParts(["pushgateway-1.11.0", "consul"], "A Pushgateway that is killed and comes back", () => {
  test.each([
    ["configured servers", false],
    ["Consul", true],
  ])(
    "costs no push with members from %s",
    async (discovery, consul) => {
      await using cluster = await FaultCluster.start({ consul });
      const owners = await cluster.owners();
      const victim = cluster.at(0);
      const startedAt = performance.now();
      victim.kill("SIGKILL");
      await victim.exited();
      await cluster.waitForState(victim, "down");
      expect(await cluster.metric("dynamic_sharding_members", { state: "down" })).toBe(1);
      await cluster.waitForRound();
      await Bun.sleep(3_000);
      await victim.start();
      await expectAllDelivered(cluster, {
        title: `kill -9, members from ${discovery}`,
        startedAt,
        owners,
        victims: [victim.address],
      });
      expect(await cluster.metric("dynamic_sharding_failovers_total", { reason: "unreachable" })).toBeGreaterThan(0);
    },
    90_000,
  );
});
