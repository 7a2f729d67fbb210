import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

await describeWithParts(["pushgateway-1.11.0", "consul"], "Pushgateways that are restarted one by one", () => {
  test("cost no push", async () => {
    await using cluster = await FaultCluster.start({ consul: true });
    const fault = await cluster.beginFault("restart all one by one, members from Consul", cluster.pushgateways);
    for (const pushgateway of cluster.pushgateways) {
      // SIGTERM, as a service manager stops it.
      await pushgateway.restart();
      await cluster.waitForState(pushgateway, "active");
      await cluster.waitForRound();
    }
    await expectAllDelivered(cluster, fault);
    expect(await cluster.metric("dynamic_sharding_failovers_total", { reason: "unreachable" })).toBeGreaterThan(0);
  }, 120_000);
});
