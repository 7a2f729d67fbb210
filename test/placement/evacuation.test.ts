import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import type { Pushgateway } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";
import { PlacementCluster } from "./placement-fixture.ts";

const TEST_TIMEOUT_MS = 60_000;
const JOBS = Array.from({ length: 40 }, (_, index) => `job_${index}`);

await describeWithParts(["pushgateway-1.11.0", "pushgateway-1.5.1"], "evacuation", () => {
  test(
    "moves the groups of a draining member to their owners at once",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      await cluster.pushAll(JOBS, "x 1\n# TYPE y counter\ny 2\n");
      const draining = cluster.members[0] as Pushgateway;
      const servers = cluster.members.map(({ address }) => address);
      await cluster.reconfigure(3, { pushgateway: { servers, draining: [draining.address] } });
      await cluster.waitForState(draining, "draining");
      const answer = await cluster.router.get(`/api/v1/members/evacuate?address=${draining.address}`, {
        method: "POST",
      });
      expect(answer.ok).toBe(true);
      await waitFor("the member to be empty", async () => (await heldBy(cluster, draining)).length === 0);
      for (const job of JOBS) expect(Object.values(await cluster.held(job))).toEqual([{ x: 1, y: 2 }]);
    },
    TEST_TIMEOUT_MS,
  );
});

async function heldBy(cluster: PlacementCluster, { address }: Pushgateway): Promise<readonly string[]> {
  const held = await Promise.all(JOBS.map(async (job) => [job, await cluster.held(job)] as const));
  return held.flatMap(([job, samples]) => (address in samples ? [job] : []));
}
