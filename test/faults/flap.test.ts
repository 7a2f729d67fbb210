import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { expectAllDelivered } from "./aftermath.ts";
import { FaultCluster } from "./fault-cluster.ts";

const FLAPS = 8;
const UP_MS = 1_000;
const DOWN_MS = 1_000;

await describeWithParts(
  ["pushgateway-1.11.0", "consul"],
  "A Pushgateway that is killed and started every second",
  () => {
    test.each([
      ["Consul", { consul: true }],
      // So often that the member is trusted again between two falls.
      ["configured servers checked each second", { config: { health_check: { interval: "1s", timeout: "1s" } } }],
    ])(
      "costs no push with members from %s",
      async (discovery, options) => {
        await using cluster = await FaultCluster.start(options);
        const owners = await cluster.owners();
        const victim = cluster.at(0);
        const startedAt = performance.now();
        for (let flap = 0; flap < FLAPS; flap++) {
          victim.kill("SIGKILL");
          await victim.exited();
          await Bun.sleep(DOWN_MS);
          await victim.start();
          await Bun.sleep(UP_MS);
        }
        await expectAllDelivered(cluster, {
          title: `flap, members from ${discovery}`,
          startedAt,
          owners,
          victims: [victim.address],
        });
        expect(await cluster.metric("dynamic_sharding_failovers_total")).toBeGreaterThan(0);
      },
      120_000,
    );
  },
);
