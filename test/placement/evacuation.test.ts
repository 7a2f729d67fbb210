import { expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import type { Pushgateway } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";
import { PlacementCluster } from "./placement-fixture.ts";
import { WatchedMember } from "./watched-member.ts";

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

test(
  "an evacuation writes over nothing that is pushed to the owners while it reads",
  async () => {
    await using from = await LocalPushgateway.start();
    await using to = await LocalPushgateway.start();
    await using draining = new WatchedMember(from.url, { speaksGroupsApi: false });
    await using owner = new WatchedMember(to.url, { speaksGroupsApi: false });
    const pushAll = async ({ url }: LocalPushgateway, value: number) => {
      for (const job of JOBS) await fetch(`${url}/metrics/job/${job}`, { method: "PUT", body: `x ${value}\n` });
    };
    await pushAll(from, 1);
    const servers = [draining.address, owner.address];
    await using router = await LocalRouter.start(
      configOf([], { pushgateway: { servers, draining: [draining.address] }, groups: { audit_interval: "1h" } }),
    );
    await waitFor("the first audit", () => owner.looks > 0 && draining.looks > 0);
    const listings = draining.looks;
    draining.onRequest = async (_, path) => {
      // The first listing tells which groups there are, the second one what they hold.
      if (path === "/api/v1/metrics" && draining.looks === listings + 2) await pushAll(to, 2);
    };
    await router.get(`/api/v1/members/evacuate?address=${draining.address}`, { method: "POST" });
    const values = [...(await groupsOf(to.url)).values()].map(({ x }) => x?.metrics);
    expect(values).toEqual(JOBS.map(() => [expect.objectContaining({ value: "2" })]));
  },
  TEST_TIMEOUT_MS,
);

async function heldBy(cluster: PlacementCluster, { address }: Pushgateway): Promise<readonly string[]> {
  const held = await Promise.all(JOBS.map(async (job) => [job, await cluster.held(job)] as const));
  return held.flatMap(([job, samples]) => (address in samples ? [job] : []));
}
