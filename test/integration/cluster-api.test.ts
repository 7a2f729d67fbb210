import { afterEach, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { groupsOf } from "../support/groups.ts";
import { type ConfigSections, configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

const TEST_TIMEOUT_MS = 30_000;
const MISSING = "X-Dynamic-Sharding-Missing-Members";
const ADMIN_API = "--web.enable-admin-api";

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

interface Cluster {
  readonly members: readonly Pushgateway[];
  readonly router: LocalRouter;
}

/** Pushgateways of both versions by turns, and a router over them. */
async function startCluster(
  count: number,
  options: { readonly flags?: readonly string[]; readonly draining?: number; readonly more?: ConfigSections } = {},
): Promise<Cluster> {
  const members: Pushgateway[] = [];
  for (let index = 0; index < count; index++) {
    const version = index % 2 === 0 ? "1.11.0" : "1.5.1";
    const host = `127.0.0.${index + 2}`;
    members.push(resources.use(await startPushgateway({ version, host, flags: options.flags ?? [ADMIN_API] })));
  }
  const servers = members.map(({ address }) => address);
  const draining = servers.slice(0, options.draining ?? 0);
  const config = configOf([], { pushgateway: { servers, draining }, ...options.more });
  return { members, router: resources.use(await LocalRouter.start(config)) };
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs from path to path, and the tests compare it.
  readonly data: any;
}

async function ask(router: LocalRouter, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await router.get(path, init);
  return (await response.json()) as Answer;
}

function query(parameters: readonly (readonly [string, string])[]): string {
  return `?${new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value]))}`;
}

/** A Pushgateway answers before it has deleted what it was told to. */
async function waitForGroups({ url }: Pushgateway, count: number): Promise<void> {
  await waitFor(`${count} groups at ${url}`, async () => (await groupsOf(url)).size === count);
}

async function push(member: Pushgateway, path: string, body: string): Promise<void> {
  const response = await fetch(`${member.url}/metrics${path}`, { method: "PUT", body });
  if (!response.ok) throw new Error(`Cannot push ${path}: ${response.status} ${await response.text()}`);
}

await describeWithParts(["pushgateway-1.11.0", "pushgateway-1.5.1"], "The API over all members", () => {
  test(
    "/api/v1/metrics has the groups of all members as these list them, each once",
    async () => {
      const { members, router } = await startCluster(3);
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      for (let index = 0; index < 50; index++)
        await router.push(`/metrics/job/j${index}/x/%C3%B6`, `m{l="ü"} ${index}\n`);
      const response = await router.get("/api/v1/metrics");
      expect([response.status, response.headers.get("Content-Type"), response.headers.get(MISSING)]).toEqual([
        200,
        "application/json",
        null,
      ]);
      const theirs = await fetch(`${a.url}/api/v1/metrics`);
      const cors = ["access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers"];
      for (const name of [...cors, "cache-control"]) expect(response.headers.get(name)).toBe(theirs.headers.get(name));
      const byJob = (groups: { labels: { job: string } }[]) =>
        groups.toSorted((one, other) => (one.labels.job < other.labels.job ? -1 : 1));
      const all = [];
      for (const { url } of [a, b, c])
        all.push(...((await (await fetch(`${url}/api/v1/metrics`)).json()) as Answer).data);
      const merged = (await response.json()) as Answer;
      expect(byJob(merged.data)).toEqual(byJob(all));
      expect(Object.keys(merged)).toEqual(["status", "data"]);
      const options = await router.get("/api/v1/metrics", { method: "OPTIONS" });
      expect([options.status, options.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "/api/v1/metrics does without a member that hangs, and says so",
    async () => {
      const { members, router } = await startCluster(2);
      const [a, b] = members as [Pushgateway, Pushgateway];
      await push(a, "/job/a", "x 1\n");
      await push(b, "/job/b", "x 2\n");
      await b.freeze();
      await waitFor("the frozen one to look down", async () => {
        const { data } = await ask(router, "/api/v1/members");
        return data.members[1].state === "down";
      });
      const response = await router.get("/api/v1/metrics");
      expect([response.status, response.headers.get(MISSING)]).toEqual([200, b.address]);
      const { data, ...rest } = (await response.json()) as Answer & { warnings: readonly string[] };
      expect(data.map(({ labels }: { labels: object }) => labels)).toEqual([{ job: "a" }]);
      expect(rest.warnings[0]).toMatch(new RegExp(`^${b.address}: (Cannot GET /api/v1/metrics|It is down)`));
      b.kill("SIGCONT");
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "/api/v1/status has the shape of a Pushgateway's, and tells in what members differ",
    async () => {
      const { members, router } = await startCluster(3);
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      const { data } = await ask(router, "/api/v1/status");
      const theirs = ((await (await fetch(`${a.url}/api/v1/status`)).json()) as Answer).data;
      expect(Object.keys(data)).toEqual(expect.arrayContaining(Object.keys(theirs)));
      expect(Object.keys(data.build_information)).toEqual(
        expect.arrayContaining(Object.keys(theirs.build_information)),
      );
      expect(data.flags["web.enable-admin-api"]).toBe("true");
      expect(data.flags["web.listen-address"]).toBeUndefined();
      expect(
        data.members.map(({ address, state, version }: Record<string, string>) => [address, state, version]),
      ).toEqual([
        [a.address, "active", "1.11.0"],
        [b.address, "active", "1.5.1"],
        [c.address, "active", "1.11.0"],
      ]);
      expect(data.disagreements.version).toEqual([
        { value: "1.11.0", members: [a.address, c.address] },
        { value: "1.5.1", members: [b.address] },
      ]);
      expect(data.disagreements.flags["push.enable-utf8-names"]).toEqual([
        { value: "false", members: [a.address, c.address] },
        { value: null, members: [b.address] },
      ]);
      expect(data.disagreements.flags["web.listen-address"]).toBeUndefined();
      await b.stop();
      const response = await router.get("/api/v1/status");
      expect(response.headers.get(MISSING)).toBe(b.address);
      const rest = ((await response.json()) as Answer).data;
      expect(rest.disagreements).toEqual({ flags: {} });
      expect(rest.members[1].error).toContain("refuses the connection");
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "a wipe empties all members that can be reached, and names the others",
    async () => {
      const { members, router } = await startCluster(3);
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      for (let index = 0; index < 20; index++) await router.push(`/metrics/job/j${index}`);
      const done = await router.get("/api/v1/admin/wipe", { method: "PUT" });
      expect([done.status, await done.text(), done.headers.get(MISSING)]).toEqual([202, "", null]);
      for (const member of members) await waitForGroups(member, 0);
      await c.stop();
      for (const [index, member] of [a, b].entries()) await push(member, `/job/k${index}`, "x 1\n");
      const partly = await router.get("/api/v1/admin/wipe", { method: "PUT" });
      expect([partly.status, partly.headers.get(MISSING)]).toEqual([202, c.address]);
      for (const member of [a, b]) await waitForGroups(member, 0);
      await a.stop();
      await b.stop();
      expect((await router.get("/api/v1/admin/wipe", { method: "PUT" })).status).toBe(503);
      expect((await router.get("/api/v1/admin/wipe")).status).toBe(405);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "a wipe leaves all members as they are where one of them does not allow it",
    async () => {
      const { members } = await startCluster(2);
      const closed = resources.use(await startPushgateway({ host: "127.0.0.9" }));
      const router = resources.use(await LocalRouter.start(configOf([...members, closed])));
      for (const member of members) await push(member, "/job/kept", "x 1\n");
      const response = await router.get("/api/v1/admin/wipe", { method: "PUT" });
      expect([response.status, await response.text()]).toEqual([
        404,
        `No member is wiped: start with --web.enable-admin-api: ${closed.address}\n`,
      ]);
      for (const { url } of members) expect((await groupsOf(url)).size).toBeLessThanOrEqual(1);
      const { data } = await ask(router, "/api/v1/groups");
      expect(data.total).toBe(1);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "/api/v1/groups pages through all groups, with owner and holders",
    async () => {
      const { members, router } = await startCluster(3);
      const paths = Array.from({ length: 25 }, (_, index) => `/metrics/job/g${index}/zone@base64/w7bDoA`);
      for (const path of paths) expect((await router.push(path)).status).toBe(200);
      const pages: Answer["data"][] = [];
      for (let after: string | null = ""; after !== null; after = pages.at(-1).next) {
        pages.push(
          (
            await ask(
              router,
              `/api/v1/groups${query([["limit", "10"], ...(after === "" ? [] : [["after", after] as const])])}`,
            )
          ).data,
        );
      }
      expect(pages.map(({ groups, total }) => [groups.length, total])).toEqual([
        [10, 25],
        [10, 25],
        [5, 25],
      ]);
      const groups = pages.flatMap(({ groups }) => groups);
      const jobs = groups.map(({ labels }) => labels.job);
      expect(jobs.toSorted()).toEqual(paths.map((_, index) => `g${index}`).sort());
      for (const group of groups) {
        expect(group.path).toBe(`/metrics/job/${group.labels.job}/zone@base64/w7bDoA`);
        expect(group.labels.zone).toBe("öà");
        const { owner } = await router.ownersOf(group.path);
        expect(group.owner).toBe(owner);
        expect(group.holders).toEqual([
          {
            address: owner,
            push_time_seconds: group.push_time_seconds,
            push_failure_time_seconds: 0,
            stale: false,
            doubtful: false,
          },
        ]);
        expect(Math.abs(group.push_time_seconds - Date.now() / 1_000)).toBeLessThan(60);
      }
      const some = await ask(
        router,
        `/api/v1/groups${query([
          ["match[]", '{job=~"g1.",zone="öà"}'],
          ["match[]", '{job="g2"}'],
        ])}`,
      );
      expect(some.data.groups.map(({ labels }: { labels: { job: string } }) => labels.job).sort()).toEqual([
        ...Array.from({ length: 10 }, (_, index) => `g1${index}`),
        "g2",
      ]);
      const { data } = await ask(router, "/api/v1/members");
      const held = data.members.map(({ groups }: { groups: number }) => groups);
      expect(held.every((count: unknown) => typeof count === "number")).toBe(true);
      expect(members.length).toBe(held.length);
      for (const wrong of ["limit=0", "limit=1001", "limit=x", "after=%", "match[]={"]) {
        expect([wrong, (await router.get(`/api/v1/groups?${wrong}`)).status]).toEqual([wrong, 400]);
      }
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "DELETE /api/v1/groups deletes what matches from all members, and nothing without a matcher",
    async () => {
      const { members, router } = await startCluster(2);
      for (let index = 0; index < 6; index++) await router.push(`/metrics/job/spark-${index}`);
      await router.push("/metrics/job/other");
      const held = async () =>
        (await Promise.all(members.map(({ url }) => groupsOf(url)))).flatMap((groups) => [...groups.keys()]);
      for (const wrong of [
        "",
        "?dry_run=true",
        "?match[]=",
        "?match[]={}",
        '?match[]={job=~".*"}',
        '?match[]={job="a"}&dry_run=maybe',
      ]) {
        const { status } = await router.get(`/api/v1/groups${wrong}`, { method: "DELETE" });
        expect([wrong, status]).toEqual([wrong, 400]);
      }
      const match = ["match[]", '{job=~"spark-.*"}'] as const;
      const dry = await ask(router, `/api/v1/groups${query([match, ["dry_run", "true"]])}`, { method: "DELETE" });
      expect([dry.data.dry_run, dry.data.matched, dry.data.deleted, dry.data.groups.length]).toEqual([true, 6, 0, 6]);
      expect((await held()).length).toBe(7);
      const { data } = await ask(router, `/api/v1/groups${query([match])}`, { method: "DELETE" });
      expect([data.dry_run, data.matched, data.deleted, data.missing_members]).toEqual([false, 6, 6, []]);
      expect(data.groups[0]).toEqual({
        labels: { job: "spark-0" },
        path: "/metrics/job/spark-0",
        holders: [(await router.ownersOf("/metrics/job/spark-0")).owner],
      });
      await waitFor("them to be gone", async () => (await held()).length === 1);
      expect(await held()).toEqual(['{"job":"other"}']);
      const none = await ask(router, `/api/v1/groups${query([match])}`, { method: "DELETE" });
      expect([none.data.matched, none.data.groups]).toEqual([0, []]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "/api/v1/plan says which groups would move, as they then do",
    async () => {
      const { members, router } = await startCluster(3);
      const [a, b, c] = members as [Pushgateway, Pushgateway, Pushgateway];
      const paths = Array.from({ length: 300 }, (_, index) => `/metrics/job/p${index}/i/${index % 7}`);
      for (const path of paths) await router.push(path);
      const ownersBefore = await Promise.all(paths.map(async (path) => (await router.ownersOf(path)).owner));
      const newcomer = resources.use(await startPushgateway({ host: "127.0.0.7" }));
      const { data } = await ask(
        router,
        `/api/v1/plan${query([
          ["add", newcomer.address],
          ["remove", b.address],
        ])}`,
      );
      expect(data.members_before).toEqual([a.address, b.address, c.address]);
      expect(data.members_after).toEqual([a.address, c.address, newcomer.address]);
      await router.reconfigure(configOf([a, c, newcomer]));
      await waitFor("the new member to take pushes", async () => {
        const { data } = await ask(router, "/api/v1/members");
        expect(data.members.map(({ address, state }: Record<string, string>) => [address, state])).toEqual(
          [a, c, newcomer].map(({ address }) => [address, "active"]),
        );
        return true;
      });
      const moves = new Map<string, number>();
      for (const [index, path] of paths.entries()) {
        const { owner } = await router.ownersOf(path);
        const move = `${ownersBefore[index]} ${owner}`;
        if (owner !== ownersBefore[index]) moves.set(move, (moves.get(move) ?? 0) + 1);
      }
      const planned = data.moves.map(({ from, to, groups }: Record<string, unknown>) => [`${from} ${to}`, groups]);
      expect(planned).toEqual([...moves].sort());
      expect([data.groups, data.moved]).toEqual([300, [...moves.values()].reduce((sum, groups) => sum + groups, 0)]);
      expect(data.moved).toBeGreaterThan(100);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "/api/v1/plan refuses changes that are none",
    async () => {
      const { members, router } = await startCluster(1);
      const [a] = members as [Pushgateway];
      expect(await ask(router, "/api/v1/plan")).toMatchObject({ data: { groups: 0, moved: 0, moves: [] } });
      for (const [parameter, value, error] of [
        ["add", a.address, "it is a member already"],
        ["remove", "10.0.0.1:9091", "it is no member"],
        ["add", "10.0.0.1", "expected host:port"],
      ] as const) {
        const response = await router.get(`/api/v1/plan${query([[parameter, value]])}`);
        expect(response.status).toBe(400);
        expect(((await response.json()) as Answer).error).toContain(error);
      }
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "the groups of a draining member can be moved at once, and /api/v1/members tells what is left",
    async () => {
      const { members, router } = await startCluster(2);
      const [a, b] = members as [Pushgateway, Pushgateway];
      for (let index = 0; index < 20; index++) await router.push(`/metrics/job/d${index}`);
      const before = (await groupsOf(a.url)).size;
      expect(before).toBeGreaterThan(0);
      expect((await router.get(`/api/v1/members/evacuate?address=${a.address}`, { method: "POST" })).status).toBe(400);
      const servers = [a.address, b.address];
      await router.reconfigure(configOf([], { pushgateway: { servers, draining: [a.address] } }));
      await waitFor("the audit to see what a drain waits for", async () => {
        const { data } = await ask(router, "/api/v1/members");
        return data.members[0].misplaced === before;
      });
      const { data } = await ask(router, `/api/v1/members/evacuate?address=${a.address}`, { method: "POST" });
      expect(data).toEqual({ moved: before, left: 0 });
      await waitForGroups(a, 0);
      await waitForGroups(b, 20);
      expect((await ask(router, "/api/v1/members")).data.members[0].misplaced).toBe(0);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "what was wiped while a member was down does not come back with its file",
    async () => {
      const folder = await temporaryFolder("wipe");
      resources.defer(async () => await rm(folder, { recursive: true }));
      const members: Pushgateway[] = [];
      for (const host of ["127.0.0.2", "127.0.0.3"]) {
        const persistenceFile = join(folder, host);
        members.push(resources.use(await startPushgateway({ host, persistenceFile, flags: [ADMIN_API] })));
      }
      const router = resources.use(await LocalRouter.start(configOf(members)));
      const [a, b] = members as [Pushgateway, Pushgateway];
      for (const { address } of members) {
        expect((await router.push(await router.pathOwnedBy(address))).status).toBe(200);
      }
      await b.halt();
      const response = await router.get("/api/v1/admin/wipe", { method: "PUT" });
      expect([response.status, response.headers.get(MISSING)]).toEqual([202, b.address]);
      await b.start();
      const states = async () => {
        const { data } = await ask(router, "/api/v1/members");
        return data.members.map(({ state }: { state: string }) => state).join(" ");
      };
      await waitFor("the member to be back", async () => (await states()) === "active active", {
        timeoutMs: TEST_TIMEOUT_MS,
      });
      expect([(await groupsOf(a.url)).size, (await groupsOf(b.url)).size]).toEqual([0, 0]);
    },
    2 * TEST_TIMEOUT_MS,
  );
});
