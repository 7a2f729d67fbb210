import { describe, expect, test } from "bun:test";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import type { Pushgateway } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";
import { PlacementCluster } from "./placement-fixture.ts";

const TEST_TIMEOUT_MS = 90_000;
const JOBS = Array.from({ length: 60 }, (_, index) => `job_${index}`);
const path = (job: string) => `/metrics/job/${job}`;

async function pushTo(address: string, job: string, value: number): Promise<void> {
  const response = await fetch(`http://${address}${path(job)}`, { method: "PUT", body: `x ${value}\n` });
  if (!response.ok) throw new Error(`${address} answers ${response.status}`);
}

async function ownersOf({ router }: PlacementCluster): Promise<ReadonlyMap<string, string>> {
  return new Map(await Promise.all(JOBS.map(async (job) => [job, (await router.ownersOf(path(job))).owner] as const)));
}

function ownedBy({ address }: Pushgateway, owners: ReadonlyMap<string, string>): readonly string[] {
  return JOBS.filter((job) => owners.get(job) === address);
}

await describeWithParts(["pushgateway-1.11.0", "pushgateway-1.5.1"], "placement in the background", () => {
  test(
    "deletes groups that match a ttl rule and were not pushed for so long, and no others",
    async () => {
      const ttl = [{ match: '{job=~"short-.*"}', after: "5s" }];
      await using cluster = await PlacementCluster.start(2, 2, { groups: { audit_interval: "1s", ttl } });
      await cluster.pushAll(["short-1", "short-2", "long"], "x 1\n");
      const pushes: Promise<Response>[] = [];
      const kept = setInterval(() => pushes.push(cluster.router.push(path("short-2"), "x 2\n")), 500);
      try {
        await waitFor("short-1 to expire", async () => Object.keys(await cluster.held("short-1")).length === 0, {
          timeoutMs: 20_000,
        });
        expect(Object.values(await cluster.held("short-2"))).toEqual([{ x: 2 }]);
        expect(Object.values(await cluster.held("long"))).toEqual([{ x: 1 }]);
      } finally {
        clearInterval(kept);
        await Promise.all(pushes);
      }
    },
    TEST_TIMEOUT_MS,
  );

  describe("in redirect mode, where the router does not see a push succeed", () => {
    test(
      "removes the old copy after the client has pushed to the new owner, and not before",
      async () => {
        await using cluster = await PlacementCluster.start(3, 2, { routing: { mode: "redirect" } });
        const before = await ownersOf(cluster);
        for (const [job, owner] of before) await pushTo(owner, job, 1);
        await cluster.reconfigure(3, { routing: { mode: "redirect" } });
        const newcomer = cluster.members[2] as Pushgateway;
        await cluster.waitForState(newcomer, "active");
        const [followed = "", ignored = ""] = ownedBy(newcomer, await ownersOf(cluster));
        for (const job of [followed, ignored]) expect((await cluster.router.push(path(job))).status).toBe(307);
        // A client that follows.
        await pushTo(newcomer.address, followed, 2);
        await cluster.waitForHeld(followed, { [newcomer.address]: { x: 2 } }, 40_000);
        expect(await cluster.held(ignored)).toEqual({ [before.get(ignored) ?? ""]: { x: 1 } });
      },
      TEST_TIMEOUT_MS,
    );
  });

  test(
    "a second router that knows nothing cleans up what the first one left when it was ended",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      const { owner, failOver } = await cluster.router.ownersOf(path("a"));
      await pushTo(failOver[0] ?? "", "a", 1);
      await Bun.sleep(400); // Apart enough for clocks that are known to a tenth of a second.
      await pushTo(owner, "a", 2);
      await using _second = await LocalRouter.start(configOf(cluster.members));
      await cluster.waitForHeld("a", { [owner]: { x: 2 } }, 40_000);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "a router that knows nothing loses no family that only the older copy has",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      const { owner, failOver } = await cluster.router.ownersOf(path("a"));
      await cluster.router.stop();
      await pushTo(failOver[0] ?? "", "a", 1);
      await Bun.sleep(400); // Apart enough for clocks that are known to a tenth of a second.
      const other = await fetch(`http://${owner}${path("a")}`, { method: "POST", body: "y 2\n" });
      expect(other.status).toBe(200);
      await using _second = await LocalRouter.start(configOf(cluster.members));
      await cluster.waitForHeld("a", { [owner]: { x: 1, y: 2 } }, 80_000);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "a rejected push leaves no empty copy of a group that is elsewhere",
    async () => {
      await using cluster = await PlacementCluster.start(3, 2);
      await cluster.pushAll(JOBS, "x 1\n");
      const before = await ownersOf(cluster);
      await cluster.reconfigure(3);
      const newcomer = cluster.members[2] as Pushgateway;
      await cluster.waitForState(newcomer, "active");
      const [job = ""] = ownedBy(newcomer, await ownersOf(cluster));
      const rejected = await cluster.router.push(path(job), "x 1 1000\n");
      // Pushgateway 1.11.0 closes the connection on it.
      expect([400, 502]).toContain(rejected.status);
      await cluster.waitForHeld(job, { [before.get(job) ?? ""]: { x: 1 } }, 40_000);
    },
    TEST_TIMEOUT_MS,
  );
});
