import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

const FLAPS = 15;
const DOWN_MS = 500;
const UP_MS = 500;

/** Checks so frequent that the member is trusted again between two falls, until damping keeps it out. */
const HASTY = { config: { health_check: { interval: "500ms", timeout: "500ms" } } };

await describeWithParts(["pushgateway-1.11.0", "consul"], "A Pushgateway that is killed every second", () => {
  test.each([
    { discovery: "Consul", options: { consul: true } },
    { discovery: "configured servers, checked hastily", options: HASTY },
  ])(
    "costs no push with members from $discovery",
    async ({ discovery, options }) => {
      await using cluster = await FaultCluster.start(options);
      const victim = cluster.at(0);
      const fault = await cluster.beginFault(`flap, members from ${discovery}`, [victim]);
      for (let flap = 0; flap < FLAPS; flap++) {
        // Later on, damping keeps it out, and there are no pushes to it.
        if (flap === 0) await cluster.killAtWork(victim);
        else victim.kill("SIGKILL");
        await victim.exited();
        await Bun.sleep(DOWN_MS);
        await victim.start();
        await Bun.sleep(UP_MS);
      }
      await expectAllDelivered(cluster, fault);
      expect(await cluster.metric("dynamic_sharding_failovers_total")).toBeGreaterThan(0);
    },
    120_000,
  );
});
