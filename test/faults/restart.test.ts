import { test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

await describeWithParts(["pushgateway-1.11.0", "consul"], "Pushgateways that are restarted one by one", () => {
  test("cost no push", async () => {
    await using cluster = await FaultCluster.start({ consul: true });
    const owners = await cluster.owners();
    const startedAt = performance.now();
    for (const pushgateway of cluster.pushgateways) {
      // SIGTERM, as a service manager stops it.
      await pushgateway.restart();
      await cluster.waitForState(pushgateway, "active");
      await cluster.waitForRound();
    }
    const victims = cluster.pushgateways.map(({ address }) => address);
    await expectAllDelivered(cluster, {
      title: "restart all one by one, members from Consul",
      startedAt,
      owners,
      victims,
    });
  }, 120_000);
});
