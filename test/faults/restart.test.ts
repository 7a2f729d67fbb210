import { test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

await describeWithParts(["pushgateway-1.11.0", "consul"], "Pushgateways that are restarted one by one", () => {
  test("cost no push", async () => {
    await using cluster = await FaultCluster.start({ consul: true });
    const fault = await cluster.beginFault("restart all one by one, members from Consul", cluster.pushgateways);
    for (const pushgateway of cluster.pushgateways) {
      // SIGTERM, as a service manager stops it.
      await pushgateway.halt();
      await cluster.waitForState(pushgateway, "down");
      await pushgateway.start();
      await cluster.waitForState(pushgateway, "active");
      await cluster.waitForRound();
    }
    await expectAllDelivered(cluster, fault);
  }, 120_000);
});
