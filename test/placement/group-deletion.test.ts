import { afterEach, describe, expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { waitFor } from "../support/wait-for.ts";
import { WatchedMember } from "./watched-member.ts";

const TEST_TIMEOUT_MS = 30_000;
const JOBS = Array.from({ length: 30 }, (_, index) => `spark-${index}`);
const RATE = 4;
const KEPT = "It was pushed to after the request came, and is kept";
const MATCH = encodeURIComponent('{job=~"spark-.*"}');

interface Deletion {
  readonly matched: number;
  readonly deleted: number;
  readonly groups: readonly { readonly labels: { readonly job: string }; readonly error?: string }[];
}

const cleanups: AsyncDisposable[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup[Symbol.asyncDispose]();
});

function kept<T extends AsyncDisposable>(part: T): T {
  cleanups.push(part);
  return part;
}

async function startCluster(speaksGroupsApi = false) {
  const pushgateway = kept(await LocalPushgateway.start());
  const member = kept(new WatchedMember(pushgateway.url, { speaksGroupsApi }));
  const router = kept(await LocalRouter.start(configOf([member], { groups: { clean_up_rate: RATE } })));
  await pushAll(router.url, 1);
  return { pushgateway, member, router };
}

async function pushAll(url: string, value: number): Promise<void> {
  const pushes = JOBS.map((job) => fetch(`${url}/metrics/job/${job}`, { method: "PUT", body: `x ${value}\n` }));
  for (const response of await Promise.all(pushes)) expect(response.status).toBe(200);
}

async function deleteAll(router: LocalRouter): Promise<Deletion> {
  const response = await fetch(`${router.url}/api/v1/groups?match[]=${MATCH}`, { method: "DELETE" });
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: Deletion }).data;
}

async function jobsOn({ url }: LocalPushgateway): Promise<ReadonlySet<string>> {
  return new Set([...(await groupsOf(url)).keys()].map((labels) => (JSON.parse(labels) as { job: string }).job));
}

async function jobsOwnedBy(router: LocalRouter, { address }: WatchedMember): Promise<readonly string[]> {
  const owners = await Promise.all(JOBS.map((job) => router.ownersOf(`/metrics/job/${job}`)));
  return JOBS.filter((_, index) => owners[index]?.owner === address);
}

/** As a push does that the router does not see. */
async function move(jobs: readonly string[], from: LocalPushgateway, to: LocalPushgateway): Promise<void> {
  for (const job of jobs) {
    await fetch(`${to.url}/metrics/job/${job}`, { method: "PUT", body: "x 2\n" });
    await fetch(`${from.url}/metrics/job/${job}`, { method: "DELETE" });
  }
}

async function statesOf(router: LocalRouter): Promise<ReadonlyMap<string, string>> {
  const { data } = (await (await router.get("/api/v1/members")).json()) as {
    data: { members: readonly { address: string; state: string }[] };
  };
  return new Map(data.members.map(({ address, state }) => [address, state]));
}

describe("deleting groups that match", () => {
  test(
    "loses no push that the router takes meanwhile, and says which groups it kept",
    async () => {
      const { pushgateway, member, router } = await startCluster();
      let pushed: Promise<void> | undefined;
      member.onRequest = async (method, path) => {
        if (method === "DELETE") pushed ??= pushAll(router.url, 2);
        if (path === "/api/v1/metrics") await pushed;
      };
      const { matched, deleted, groups } = await deleteAll(router);
      await pushed;
      const jobs = await jobsOn(pushgateway);
      expect([matched, jobs.size]).toEqual([JOBS.length, JOBS.length]);
      expect(deleted).toBeLessThanOrEqual(RATE);
      const errors = groups.flatMap(({ error }) => error ?? []);
      expect(errors).toHaveLength(matched - deleted);
      expect(new Set(errors)).toEqual(new Set([KEPT]));
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "spares what is pushed by other ways meanwhile, but for groups of a second",
    async () => {
      const { pushgateway, member, router } = await startCluster();
      const pushed = Promise.withResolvers<void>();
      member.onRequest = async (method) => {
        if (method !== "DELETE") return;
        if (member.deletions === 1) pushed.resolve(pushAll(pushgateway.url, 2));
        await pushed.promise;
      };
      const { groups } = await deleteAll(router);
      const jobs = await jobsOn(pushgateway);
      expect(jobs.size).toBeGreaterThanOrEqual(JOBS.length - RATE);
      for (const { labels, error } of groups) if (error !== undefined) expect(jobs).toContain(labels.job);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "spares all that is pushed meanwhile where members delete on condition, and says so",
    async () => {
      const { pushgateway, member, router } = await startCluster(true);
      const pushed = Promise.withResolvers<void>();
      member.onRequest = async (method) => {
        if (method !== "DELETE") return;
        if (member.deletions === 1) pushed.resolve(pushAll(pushgateway.url, 2));
        await pushed.promise;
      };
      const { deleted, groups } = await deleteAll(router);
      expect((await jobsOn(pushgateway)).size).toBe(JOBS.length);
      expect([deleted, new Set(groups.map(({ error }) => error))]).toEqual([0, new Set([KEPT])]);
      expect((await router.metrics()).get("dynamic_sharding_misplaced_groups")).toBe(0);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "spares groups that move to their owners meanwhile, and says so",
    async () => {
      const pushgateways = [kept(await LocalPushgateway.start()), kept(await LocalPushgateway.start())] as const;
      const [from, to] = pushgateways;
      const members = pushgateways.map(({ url }) => kept(new WatchedMember(url, { speaksGroupsApi: false })));
      const [holder, owner] = members as [WatchedMember, WatchedMember];
      const router = kept(await LocalRouter.start(configOf(members, { groups: { clean_up_rate: RATE } })));
      await pushAll(from.url, 1);
      const moving = await jobsOwnedBy(router, owner);
      expect(moving.length).toBeGreaterThan(RATE);
      let moved: Promise<void> | undefined;
      holder.onRequest = async (method) => {
        if (method === "DELETE") moved ??= move(moving, from, to);
        await moved;
      };
      const { matched, deleted, groups } = await deleteAll(router);
      expect(await jobsOn(to)).toEqual(new Set(moving));
      const errors = groups.flatMap(({ labels, error }) => (error === undefined ? [] : [[labels.job, error] as const]));
      for (const [job, error] of errors) expect([moving.includes(job), error]).toEqual([true, KEPT]);
      expect(errors.length).toBeGreaterThanOrEqual(moving.length - RATE);
      expect(deleted).toBe(matched - errors.length);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "deletes all of them, in as many batches as it takes",
    async () => {
      const { pushgateway, router } = await startCluster();
      const { deleted } = await deleteAll(router);
      expect(deleted).toBe(JOBS.length);
      expect((await jobsOn(pushgateway)).size).toBe(0);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "deletes them from a member that was away when it returns",
    async () => {
      const pushgateways = [kept(await LocalPushgateway.start()), kept(await LocalPushgateway.start())] as const;
      const members = pushgateways.map(({ url }) => kept(new WatchedMember(url, { speaksGroupsApi: false })));
      const router = kept(await LocalRouter.start(configOf(members)));
      for (const { url } of pushgateways) await pushAll(url, 1);
      const [present, away] = members as [WatchedMember, WatchedMember];
      away.isAway = true;
      await waitFor("it to be down", async () => (await statesOf(router)).get(away.address) === "down");
      expect((await deleteAll(router)).deleted).toBe(JOBS.length);
      away.isAway = false;
      await waitFor("it to be back", async () => (await statesOf(router)).get(away.address) === "active");
      for (const pushgateway of pushgateways) expect((await jobsOn(pushgateway)).size).toBe(0);
      expect(present.deletions).toBeGreaterThanOrEqual(JOBS.length);
    },
    TEST_TIMEOUT_MS,
  );
});
