import { describe, expect, test } from "bun:test";
import { copyFile, rm } from "node:fs/promises";
import { type Groups, groupsOf } from "../support/groups.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";
import { PlacementCluster } from "./placement-fixture.ts";

const TEST_TIMEOUT_MS = 60_000;
const JOBS = Array.from({ length: 80 }, (_, index) => `job_${index}`);
const path = (job: string) => `/metrics/job/${job}`;

/** The jobs whose owner is another one than before, with their owners before and after. */
async function moved(cluster: PlacementCluster, before: ReadonlyMap<string, string>) {
  const after = await owners(cluster);
  return JOBS.flatMap((job) => {
    const [from, to] = [before.get(job) as string, after.get(job) as string];
    return from === to ? [] : [{ job, from, to }];
  });
}

/** One copy of each, with these samples, and not on that member. */
async function expectElsewhere(
  cluster: PlacementCluster,
  jobs: readonly string[],
  { address }: Pushgateway,
  samples: Readonly<Record<string, number>>,
): Promise<void> {
  for (const job of jobs) {
    const held = await cluster.held(job);
    expect(Object.keys(held)).not.toContain(address);
    expect(Object.values(held)).toEqual([samples]);
  }
}

/** Ends a member as a crash would, once all that it holds is in its file. */
async function crash(member: Pushgateway): Promise<void> {
  const held = await groupsOf(member.url);
  const isWritten = async () => Bun.deepEquals(await groupsInFile(member), held);
  await waitFor(`${member.address} to persist its groups`, isWritten, { timeoutMs: 20_000 });
  member.kill("SIGKILL");
  await member.halt();
}

/** What another Pushgateway finds in the file. */
async function groupsInFile({ persistenceFile }: Pushgateway): Promise<Groups> {
  const copy = `${persistenceFile}.copy`;
  await copyFile(persistenceFile, copy);
  await using reader = await startPushgateway({ persistenceFile: copy });
  const groups = await groupsOf(reader.url);
  await reader.stop();
  await rm(copy);
  return groups;
}

async function pushTo(member: Pushgateway, job: string, body: string): Promise<void> {
  const response = await fetch(`${member.url}${path(job)}`, { method: "POST", body });
  expect([response.status, await response.text()]).toEqual([200, ""]);
}

/** The member that owns the most of the groups: with free ports, chance decides who owns how many. */
function busiest({ members }: PlacementCluster, before: ReadonlyMap<string, string>): Pushgateway {
  const [most] = members.toSorted((one, other) => ownedBy(other, before).length - ownedBy(one, before).length);
  return most as Pushgateway;
}

function ownedBy({ address }: Pushgateway, before: ReadonlyMap<string, string>): readonly string[] {
  return JOBS.filter((job) => before.get(job) === address);
}

async function owners(cluster: PlacementCluster): Promise<ReadonlyMap<string, string>> {
  return new Map(
    await Promise.all(JOBS.map(async (job) => [job, (await cluster.router.ownersOf(path(job))).owner] as const)),
  );
}

await describeWithParts(["pushgateway-1.11.0", "pushgateway-1.5.1"], "one copy of each group", () => {
  describe("when a Pushgateway is added", () => {
    test(
      "a group stays where it is until its next push, and a PUT leaves one copy",
      async () => {
        await using cluster = await PlacementCluster.start(4, 3);
        await cluster.pushAll(JOBS, "x 1\ny 1\n");
        const before = await owners(cluster);
        await cluster.reconfigure(4);
        await waitFor("the new member to own groups", async () => (await moved(cluster, before)).length > 0);
        const movedJobs = await moved(cluster, before);
        for (const { job, from } of movedJobs) expect(await cluster.held(job)).toEqual({ [from]: { x: 1, y: 1 } });
        for (const { job, to } of movedJobs) {
          await cluster.push(path(job), "x 2\n");
          // Without waiting: when the client has its answer, the old copy is gone, or its deletion is queued there.
          await cluster.waitForHeld(job, { [to]: { x: 2 } });
        }
      },
      TEST_TIMEOUT_MS,
    );

    test(
      "a POST takes the families along that the new owner lacks",
      async () => {
        await using cluster = await PlacementCluster.start(4, 3);
        await cluster.pushAll(JOBS, "x 1\n", "POST");
        await cluster.pushAll(JOBS, "# TYPE y counter\ny 1\n", "POST");
        const before = await owners(cluster);
        await cluster.reconfigure(4);
        await waitFor("the new member to own groups", async () => (await moved(cluster, before)).length > 0);
        for (const { job, to } of await moved(cluster, before)) {
          await cluster.push(path(job), "x 2\n", "POST");
          await cluster.waitForHeld(job, { [to]: { x: 2, y: 1 } });
        }
        const metrics = await cluster.router.metrics();
        expect(metrics.get("dynamic_sharding_families_carried_total")).toBeGreaterThan(0);
      },
      TEST_TIMEOUT_MS,
    );
  });

  test(
    "a POST takes along what another router has put where this one would not look",
    async () => {
      await using cluster = await PlacementCluster.start(4, 3);
      await cluster.pushAll(JOBS, "x 1\n", "POST");
      const before = await owners(cluster);
      await cluster.reconfigure(4);
      await waitFor("the new member to own groups", async () => (await moved(cluster, before)).length > 0);
      for (const { job, from, to } of (await moved(cluster, before)).slice(0, 2)) {
        const elsewhere = cluster.members.find(({ address }) => address !== from && address !== to) as Pushgateway;
        await Bun.sleep(1_000); // Push times that clocks of different members can tell apart.
        await pushTo(elsewhere, job, "x 2\n");
        await cluster.push(path(job), "y 3\n", "POST");
        await cluster.waitForHeld(job, { [to]: { x: 2, y: 3 } });
      }
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "a POST takes each family along from the copy where it is newest",
    async () => {
      await using cluster = await PlacementCluster.start(4, 3);
      const [first, second] = cluster.members as [Pushgateway, Pushgateway];
      // Two copies each, as a router with another view may leave them, and the newer one here or there.
      const older = (index: number) => (index % 2 === 0 ? first : second);
      const newer = (index: number) => older(index + 1);
      for (const [index, job] of JOBS.entries()) await pushTo(older(index), job, "x 1\n");
      await Bun.sleep(1_000); // Push times that clocks of different members can tell apart.
      for (const [index, job] of JOBS.entries()) await pushTo(newer(index), job, "x 2\n");
      await cluster.reconfigure(4);
      await waitFor("the copies to be known", async () => {
        return ((await cluster.router.metrics()).get("dynamic_sharding_misplaced_groups") ?? 0) >= JOBS.length;
      });
      for (const job of JOBS) {
        const { owner } = await cluster.router.ownersOf(path(job));
        if (owner === first.address || owner === second.address) continue;
        await cluster.push(path(job), "y 3\n", "POST");
        await cluster.waitForHeld(job, { [owner]: { x: 2, y: 3 } });
      }
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "a member that drains loses its groups with their next pushes",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      await cluster.pushAll(JOBS, "x 1\n");
      const before = await owners(cluster);
      const draining = busiest(cluster, before);
      const servers = cluster.members.map(({ address }) => address);
      await cluster.reconfigure(3, { pushgateway: { servers, draining: [draining.address] } });
      await cluster.waitForState(draining, "draining");
      for (const { job, to } of await moved(cluster, before)) {
        await cluster.push(path(job), "x 2\n");
        await cluster.waitForHeld(job, { [to]: { x: 2 } });
      }
    },
    TEST_TIMEOUT_MS,
  );

  describe("when a Pushgateway dies and returns with its file", () => {
    test(
      "what was pushed elsewhere meanwhile is gone from it before it takes pushes",
      async () => {
        await using cluster = await PlacementCluster.start(3);
        await cluster.pushAll(JOBS, "x 1\ny 1\n");
        const before = await owners(cluster);
        const victim = busiest(cluster, before);
        const own = ownedBy(victim, before);
        const [pushed, posted, untouched] = [own.slice(0, 3), own.slice(3, 5), own.slice(5)];
        expect(untouched.length).toBeGreaterThan(0);
        await crash(victim);
        await cluster.pushAll(pushed, "x 2\n");
        await cluster.pushAll(posted, "x 2\n", "POST");
        await victim.start();
        await cluster.waitForState(victim, "active");
        await expectElsewhere(cluster, pushed, victim, { x: 2 });
        // Another router might push in between, so what a POST left behind is joined behind the next one.
        for (const job of posted) expect((await cluster.held(job))[victim.address]).toEqual({ x: 1, y: 1 });
        for (const job of untouched) expect(await cluster.held(job)).toEqual({ [victim.address]: { x: 1, y: 1 } });

        await cluster.pushAll([...pushed, ...posted], "x 3\n", "POST");
        for (const job of pushed) await cluster.waitForHeld(job, { [victim.address]: { x: 3 } });
        for (const job of posted) await cluster.waitForHeld(job, { [victim.address]: { x: 3, y: 1 } });
      },
      TEST_TIMEOUT_MS,
    );

    test(
      "what was added elsewhere meanwhile is joined with it soon, though nobody pushes any more",
      async () => {
        await using cluster = await PlacementCluster.start(3);
        await cluster.pushAll(JOBS, "x 1\ny 1\n");
        const before = await owners(cluster);
        const victim = busiest(cluster, before);
        const posted = ownedBy(victim, before).slice(0, 3);
        await crash(victim);
        await cluster.pushAll(posted, "x 2\n", "POST");
        const standIns = new Map(
          await Promise.all(posted.map(async (job) => [job, Object.keys(await cluster.held(job))] as const)),
        );
        await victim.start();
        for (const [job, [standIn]] of standIns) {
          await cluster.waitForHeld(job, { [standIn as string]: { x: 2, y: 1 } }, 30_000);
        }
      },
      TEST_TIMEOUT_MS,
    );

    test(
      "a group that was deleted meanwhile does not come back",
      async () => {
        await using cluster = await PlacementCluster.start(3);
        await cluster.pushAll(JOBS, "x 1\n");
        const before = await owners(cluster);
        const victim = busiest(cluster, before);
        const own = ownedBy(victim, before);
        await crash(victim);
        await cluster.pushAll(own.slice(0, 4), "", "DELETE");
        await victim.start();
        await cluster.waitForState(victim, "active");
        for (const job of own.slice(0, 4)) expect(await cluster.held(job)).toEqual({});
        for (const job of own.slice(4)) expect(await cluster.held(job)).toEqual({ [victim.address]: { x: 1 } });
      },
      TEST_TIMEOUT_MS,
    );
  });

  test(
    "a push that a frozen member applies when it thaws does not outlive the one that was acknowledged",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      await cluster.pushAll(JOBS, "x 1\n");
      const before = await owners(cluster);
      const frozen = busiest(cluster, before);
      const own = ownedBy(frozen, before);
      await frozen.freeze();
      try {
        // Each waits at the frozen member, is given up there, and acknowledged by another one.
        await Promise.all(own.map((job) => cluster.push(path(job), "x 2\n")));
        await cluster.pushAll(own, "x 3\n");
      } finally {
        frozen.kill("SIGCONT");
      }
      await cluster.waitForState(frozen, "active");
      await expectElsewhere(cluster, own, frozen, { x: 3 });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "DELETE reaches every copy",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      for (const { url } of cluster.members) await fetch(`${url}/metrics/job/a`, { method: "PUT", body: "x 1\n" });
      await cluster.push("/metrics/job/a", "", "DELETE");
      await cluster.waitForHeld("a", {});
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "copies that nobody knows of are removed but for the newest, once other routers have had their time",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      const { owner, failOver } = await cluster.router.ownersOf("/metrics/job/a");
      for (const [value, address] of [...failOver, owner].entries()) {
        await fetch(`http://${address}/metrics/job/a`, { method: "PUT", body: `x ${value}\n` });
        await Bun.sleep(300); // Push times that clocks of different members can tell apart.
      }
      // An audit comes after each change of members.
      await cluster.reconfigure(2);
      await cluster.reconfigure(3);
      await cluster.waitForHeld("a", { [owner]: { x: 2 } }, 40_000);
    },
    TEST_TIMEOUT_MS,
  );
});
