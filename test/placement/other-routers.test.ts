import { afterEach, beforeEach, expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { type ConfigSections, configOf, LocalRouter } from "../support/local-router.ts";
import { waitFor } from "../support/wait-for.ts";
import { WatchedMember } from "./watched-member.ts";

const TEST_TIMEOUT_MS = 60_000;
const LISTING = "/api/v1/metrics";

let resources: AsyncDisposableStack;

beforeEach(() => {
  resources = new AsyncDisposableStack();
});

afterEach(async () => {
  await resources.disposeAsync();
});

interface Member extends WatchedMember {
  /** Where another router reaches it. */
  readonly url: string;
}

async function startMember(speaksGroupsApi: boolean): Promise<Member> {
  const { url } = resources.use(await LocalPushgateway.start());
  return Object.assign(resources.use(new WatchedMember(url, { speaksGroupsApi })), { url });
}

/** A group that has just got another owner. */
interface MovedGroup {
  readonly router: LocalRouter;
  readonly path: string;
  /** Its owner before, which has its copy, and now. */
  readonly from: Member;
  readonly to: Member;
}

/** `method`: how its copy was pushed. */
async function moveGroup(method: string, speaksGroupsApi: boolean, more: ConfigSections = {}): Promise<MovedGroup> {
  const [from, to] = [await startMember(speaksGroupsApi), await startMember(speaksGroupsApi)];
  const router = resources.use(await LocalRouter.start(configOf([from], more)));
  await router.reconfigure(configOf([from, to], more));
  await waitForOwner(router, "/metrics/job/some", [from, to]);
  const path = await router.pathOwnedBy(to.address);
  await router.reconfigure(configOf([from], more));
  await waitForOwner(router, path, [from]);
  expect((await router.push(path, "old 1\n", { method })).status).toBe(200);
  await router.reconfigure(configOf([from, to], more));
  await waitFor("the group to have another owner", async () => (await router.ownersOf(path)).owner === to.address);
  const isAudited = async () => (await router.metrics()).get("dynamic_sharding_misplaced_groups") === 1;
  await waitFor("an audit to have found it", isAudited, { timeoutMs: 20_000 });
  return { router, path, from, to };
}

async function waitForOwner(router: LocalRouter, path: string, members: readonly Member[]): Promise<void> {
  await waitFor("the members to be in service", async () => {
    const { owner, failOver } = await router.ownersOf(path);
    return new Set([owner, ...failOver]).size === members.length;
  });
}

/** What another router, or a client that was redirected, does. */
async function request(member: Member, path: string, body: string, method = "PUT"): Promise<void> {
  const response = await fetch(`${member.url}${path}`, { method, body: method === "DELETE" ? null : body });
  expect(response.ok).toBe(true);
}

async function samplesAt({ url }: Member): Promise<Readonly<Record<string, number>>> {
  const [families = {}] = (await groupsOf(url)).values();
  return Object.fromEntries(
    Object.entries(families).map(([name, { metrics }]) => [name, Number((metrics[0] as { value: string }).value)]),
  );
}

test(
  "what another router pushed to the old owner right before its copy is deleted is spared by a Pushgateway of ours",
  async () => {
    const { router, path, from } = await moveGroup("PUT", true);
    const { promise: pushed, resolve } = Promise.withResolvers<void>();
    from.onRequest = async (method) => {
      if (method !== "DELETE" || from.deletions > 1) return;
      await Bun.sleep(600); // Apart enough for clocks that are known to half a second.
      await request(from, path, "new 3\n");
      resolve();
    };
    expect((await router.push(path, "new 2\n")).status).toBe(200);
    await pushed;
    await Bun.sleep(500); // The deletion follows.
    expect(from.deletions).toBe(1);
    expect(await samplesAt(from)).toEqual({ new: 3 });
  },
  TEST_TIMEOUT_MS,
);

test(
  "no copy is deleted any more once the client has its answer, unless that is on its way already",
  async () => {
    const limits = { max_in_flight_per_member: 1, request_timeout: "20s" };
    const { router, path, from } = await moveGroup("PUT", false, { limits });
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const hanging = await router.pathOwnedBy(from.address);
    from.onRequest = async (method) => {
      if (method === "PUT") await released;
    };
    // Takes the only connection that there may be.
    const hung = router.push(hanging, "x 1\n");
    await waitFor("a push to hang", async () => {
      return (await router.metrics()).get(`dynamic_sharding_upstream_in_flight{member="${from.address}"}`) === 1;
    });
    expect((await router.push(path, "new 2\n")).status).toBe(200);
    await request(from, path, "new 3\n");
    release();
    expect((await hung).status).toBe(200);
    await Bun.sleep(1_000);
    expect(from.deletions).toBe(0);
  },
  TEST_TIMEOUT_MS,
);

test.each(["pushed to its owner", "deleted"])(
  "a POST carries nothing over what was %s while the copies were looked at",
  async (what) => {
    const { router, path, from, to } = await moveGroup("POST", false);
    const isDeletion = what === "deleted";
    // One of them is read late, and by then the other has been.
    const late = isDeletion ? to : from;
    let isDone = false;
    late.onRequest = async (_, requested) => {
      if (requested !== LISTING || isDone) return;
      isDone = true;
      await Bun.sleep(300);
      if (isDeletion) await request(from, path, "", "DELETE");
      else await request(to, path, "old 5\n", "POST");
    };
    expect((await router.push(path, "new 2\n", { method: "POST" })).status).toBe(200);
    expect(await samplesAt(to)).toEqual(isDeletion ? { new: 2 } : { old: 5, new: 2 });
  },
  TEST_TIMEOUT_MS,
);

test(
  "a push through another router right behind a DELETE stays, also while a member is away that may have an old copy",
  async () => {
    const audits = { groups: { audit_interval: "1s" } };
    const members = [await startMember(false), await startMember(false)] as const;
    const [away, owner] = members;
    const router = resources.use(await LocalRouter.start(configOf(members, audits)));
    const path = await router.pathOwnedBy(owner.address);
    for (const member of members) await request(member, path, "x 1\n");
    away.isAway = true;
    const isDown = async () => (await router.metrics()).get('dynamic_sharding_members{state="down"}') === 1;
    await waitFor("it to be down", isDown, { timeoutMs: 20_000 });
    expect((await router.push(path, undefined, { method: "DELETE" })).status).toBe(202);
    await request(owner, path, "x 2\n");
    away.isAway = false;
    await waitFor("the old copy to go", async () => Bun.deepEquals(await samplesAt(away), {}), { timeoutMs: 30_000 });
    await Bun.sleep(5_000); // What is taken for deleted is left alone for two seconds, and then goes with the next audit.
    expect(await samplesAt(owner)).toEqual({ x: 2 });
  },
  TEST_TIMEOUT_MS,
);

test(
  "a group that was deleted does not come back with a member that had left the cluster for a while",
  async () => {
    const members = [await startMember(false), await startMember(false)] as const;
    const [staying, leaving] = members;
    const router = resources.use(await LocalRouter.start(configOf(members)));
    const path = await router.pathOwnedBy(leaving.address);
    expect((await router.push(path, "x 1\n")).status).toBe(200);
    leaving.isAway = true;
    await waitFor("a push to go elsewhere", async () => {
      expect((await router.push(path, "x 2\n")).ok).toBe(true);
      const { x } = await samplesAt(staying);
      return x === 2;
    });
    await router.reconfigure(configOf([staying]));
    await waitForOwner(router, path, [staying]);
    expect((await router.push(path, undefined, { method: "DELETE" })).status).toBe(202);
    expect((await router.metrics()).get("dynamic_sharding_misplaced_groups")).toBe(1);
    leaving.isAway = false;
    expect(await samplesAt(leaving)).toEqual({ x: 1 });
    await Bun.sleep(2_500); // What was pushed to just now is left alone.
    await router.reconfigure(configOf(members));
    await waitForOwner(router, path, members);
    expect(await samplesAt(leaving)).toEqual({});
  },
  TEST_TIMEOUT_MS,
);
