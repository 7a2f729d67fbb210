import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { waitFor } from "../support/wait-for.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

const OUTAGE_MS = 60_000;

await describeWithParts(["pushgateway-1.11.0", "consul"], "A Consul agent that is dead for a minute", () => {
  test("costs no push, also when a Pushgateway dies and returns meanwhile", async () => {
    await using cluster = await FaultCluster.start({ consul: true });
    const victim = cluster.at(0);
    const fault = await cluster.beginFault("kill Consul for a minute, and a Pushgateway meanwhile", [victim]);
    cluster.consul.kill("SIGKILL");
    await cluster.consul.exited();
    await Bun.sleep(OUTAGE_MS / 4);
    victim.kill("SIGKILL");
    await victim.exited();
    await cluster.waitForState(victim, "down");
    await Bun.sleep(OUTAGE_MS / 4);
    await victim.start();
    await cluster.waitForAllActive();
    const outageLeft = fault.startedAt + OUTAGE_MS - performance.now();
    expect(outageLeft).toBeGreaterThan(0);
    await Bun.sleep(outageLeft);
    const failures = await cluster.metric("dynamic_sharding_discovery_refresh_failures_total", { mechanism: "consul" });
    expect(failures).toBeGreaterThan(0);
    const refreshes = () => cluster.metric("dynamic_sharding_discovery_refreshes_total", { mechanism: "consul" });
    const before = await refreshes();
    await cluster.consul.start();
    await waitFor("Consul to be heard again", async () => (await refreshes()) > before, { timeoutMs: 30_000 });
    await expectAllDelivered(cluster, fault);
  }, 180_000);
});
