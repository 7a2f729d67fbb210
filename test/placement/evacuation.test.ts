import { afterEach, expect, test } from "bun:test";
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

interface Evacuation {
  readonly moved: number;
  readonly left: number;
}

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function evacuate(router: LocalRouter, { address }: { readonly address: string }): Promise<Evacuation> {
  const response = await router.get(`/api/v1/members/evacuate?address=${address}`, { method: "POST" });
  expect(response.status).toBe(200);
  return ((await response.json()) as { readonly data: Evacuation }).data;
}

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
      await evacuate(cluster.router, draining);
      await waitFor("the member to be empty", async () => (await heldBy(cluster, draining)).length === 0);
      for (const job of JOBS) expect(Object.values(await cluster.held(job))).toEqual([{ x: 1, y: 2 }]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "leaves a group of which another draining member has a newer copy that no audit has seen",
    async () => {
      await using cluster = await PlacementCluster.start(3);
      const [older, newer] = cluster.members as [Pushgateway, Pushgateway];
      const servers = cluster.members.map(({ address }) => address);
      const put = ({ url }: Pushgateway, value: number) =>
        fetch(`${url}/metrics/job/a`, { method: "PUT", body: `x ${value}\n` });
      await put(older, 1);
      await cluster.reconfigure(3, { pushgateway: { servers, draining: [older.address, newer.address] } });
      for (const member of [older, newer]) await cluster.waitForState(member, "draining");
      await waitFor("an audit", async () => (await misplacedOn(cluster.router, older)) === 1);
      await put(newer, 2);
      expect(await evacuate(cluster.router, older)).toEqual({ moved: 0, left: 1 });
      expect(await cluster.held("a")).toEqual({ [older.address]: { x: 1 }, [newer.address]: { x: 2 } });
    },
    TEST_TIMEOUT_MS,
  );
});

/** A member that drains, holds a group that an audit has found, and does not give it up; and others, of which the first one owns the group. */
async function startDraining(others: number) {
  const pushgateways: LocalPushgateway[] = [];
  for (let i = 0; i <= others; i++) pushgateways.push(resources.use(await LocalPushgateway.start()));
  const members = pushgateways.map(({ url }) => resources.use(new WatchedMember(url, { speaksGroupsApi: false })));
  const [draining, ...rest] = members as [WatchedMember, ...WatchedMember[]];
  const servers = members.map(({ address }) => address);
  const config = configOf([], {
    pushgateway: { servers, draining: [draining.address] },
    groups: { audit_interval: "1s" },
  });
  const router = resources.use(await LocalRouter.start(config));
  const path = await router.pathOwnedBy(rest[0]?.address ?? "");
  await fetch(`http://${draining.address}${path}`, { method: "PUT", body: "x 1\n" });
  draining.refusesDeletions = true;
  await waitFor("an audit", async () => (await misplacedOn(router, draining)) === 1);
  const groupsAt = async (index: number) => (await groupsOf((pushgateways[index] as LocalPushgateway).url)).size;
  return { draining, owner: rest[0] as WatchedMember, router, path, groupsAt };
}

test(
  "an evacuation does not bring back a group that was deleted",
  async () => {
    const { draining, router, path, groupsAt } = await startDraining(1);
    expect((await router.push(path, undefined, { method: "DELETE", body: null })).status).toBe(202);
    expect(await evacuate(router, draining)).toEqual({ moved: 0, left: 1 });
    expect(await groupsAt(1)).toBe(0);
    draining.refusesDeletions = false;
    await waitFor("the deletion to be made up for", async () => (await groupsAt(0)) === 0);
  },
  TEST_TIMEOUT_MS,
);

test(
  "an evacuation does not replace a push that a member out of reach acknowledged",
  async () => {
    const { draining, owner, router, path, groupsAt } = await startDraining(2);
    expect((await router.push(path, "x 2\n")).status).toBe(200);
    owner.isAway = true;
    await waitFor("the owner to be replaced", async () => (await router.ownersOf(path)).owner !== owner.address);
    expect(await evacuate(router, draining)).toEqual({ moved: 0, left: 1 });
    expect([await groupsAt(0), await groupsAt(2)]).toEqual([1, 0]);
  },
  TEST_TIMEOUT_MS,
);

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
    await evacuate(router, draining);
    const values = [...(await groupsOf(to.url)).values()].map(({ x }) => x?.metrics);
    expect(values).toEqual(JOBS.map(() => [expect.objectContaining({ value: "2" })]));
  },
  TEST_TIMEOUT_MS,
);

async function misplacedOn(
  router: LocalRouter,
  { address }: { readonly address: string },
): Promise<number | null | undefined> {
  const { data } = (await (await router.get("/api/v1/members")).json()) as {
    data: { members: readonly { address: string; misplaced: number | null }[] };
  };
  return data.members.find((member) => member.address === address)?.misplaced;
}

async function heldBy(cluster: PlacementCluster, { address }: Pushgateway): Promise<readonly string[]> {
  const held = await Promise.all(JOBS.map(async (job) => [job, await cluster.held(job)] as const));
  return held.flatMap(([job, samples]) => (address in samples ? [job] : []));
}
