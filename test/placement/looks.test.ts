import { afterEach, describe, expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { freePort } from "../support/free-port.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { waitFor } from "../support/wait-for.ts";
import { WatchedMember } from "./watched-member.ts";

const TEST_TIMEOUT_MS = 60_000;
const JOBS = Array.from({ length: 60 }, (_, index) => `job-${index}`);
/** Long enough to list that a member may well take half a second for it. */
const LARGE = Array.from({ length: 15_000 }, (_, index) => `large{n="${String(index).padEnd(200, "-")}"} 1\n`).join("");
/** As clients send it that know no better: answered 400. */
const REFUSED = "no metrics\n";

const cleanups: AsyncDisposable[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup[Symbol.asyncDispose]();
});

function kept<T extends AsyncDisposable>(part: T): T {
  cleanups.push(part);
  return part;
}

async function startMembers(): Promise<readonly [WatchedMember, WatchedMember]> {
  const [one, other] = [kept(await LocalPushgateway.start()), kept(await LocalPushgateway.start())];
  return [kept(new WatchedMember(one.url)), kept(new WatchedMember(other.url))];
}

async function pushRefused(router: LocalRouter, jobs: readonly string[]): Promise<void> {
  for (const job of jobs) expect((await router.push(`/metrics/job/${job}`, REFUSED)).status).toBe(400);
}

async function auditsOf(router: LocalRouter): Promise<number> {
  return (await router.metrics()).get("dynamic_sharding_audit_duration_seconds_count") ?? 0;
}

describe("looking at members again", () => {
  test(
    "is not caused by refused pushes of groups that are where they belong, even while a member is down",
    async () => {
      const members = await startMembers();
      const down = { address: `127.0.0.1:${freePort()}` };
      const router = kept(await LocalRouter.start(configOf([...members, down])));
      const until = performance.now() + 4_000;
      while (performance.now() < until) await pushRefused(router, JOBS);
      // An audit looks once at each.
      await waitFor("nothing but audits to look at members", async () => {
        const audits = await auditsOf(router);
        return audits > 0 && members.every(({ looks }) => looks === audits);
      });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "takes no more than a part of the time, however many groups are in question",
    async () => {
      const members = await startMembers();
      const router = kept(await LocalRouter.start(configOf(members)));
      await waitFor("the first audit", async () => (await auditsOf(router)) > 0);
      for (const { address } of members) {
        expect((await router.push(await router.pathOwnedBy(address), LARGE)).status).toBe(200);
      }
      await pushToOthers(router, members);
      // Takes effect at once, not when the next audit would have been due.
      await router.reconfigure(configOf(members, { groups: { audit_interval: "1s" } }));
      await waitFor("the groups to be known", async () => {
        return ((await router.metrics()).get("dynamic_sharding_misplaced_groups") ?? 0) >= JOBS.length;
      });
      await router.reconfigure(configOf(members));
      for (const member of members) {
        member.onRequest = async (_, path) => {
          if (path === "/api/v1/metrics") await Bun.sleep(500);
        };
      }
      const looks = members.map((member) => member.looks);
      const startedAt = performance.now();
      while (performance.now() < startedAt + 10_000) for (const job of JOBS) await pushRefused(router, [job]);
      // Each takes a second in all, and four times as long passes until the next; an audit may be among them.
      const most = (performance.now() - startedAt) / 4_000 + 2;
      for (const [index, member] of members.entries()) expect(member.looks - (looks[index] ?? 0)).toBeLessThan(most);
    },
    TEST_TIMEOUT_MS,
  );
});

test(
  "audits after a change of members are the rarer the longer they take",
  async () => {
    const members = await startMembers();
    const [one, other] = members;
    const router = kept(await LocalRouter.start(configOf([one])));
    await waitFor("the first audit", async () => (await auditsOf(router)) > 0);
    for (const member of members) {
      member.onRequest = async (_, path) => {
        if (path === "/api/v1/metrics") await Bun.sleep(1_200);
      };
    }
    await router.reconfigure(configOf(members));
    await waitFor("the newcomer to be listed", () => other.looks > 0);
    await waitFor("it to be in service", async () => {
      const { data } = (await (await router.get("/api/v1/members")).json()) as {
        data: { members: { state: string }[] };
      };
      return data.members.every(({ state }) => state === "active");
    });
    const before = await auditsOf(router);
    await waitFor("an audit", async () => (await auditsOf(router)) > before);
    // That may have begun before the change; another one, because of it, then comes within a quarter of a second.
    await Bun.sleep(2_500);
    const audits = await auditsOf(router);
    // Quick ones would come every five seconds. Of these, ten times what one takes is longer.
    await Bun.sleep(6_000);
    expect(await auditsOf(router)).toBe(audits);
  },
  TEST_TIMEOUT_MS,
);

test(
  "a look does not wait for a member that has gone down in the middle of it",
  async () => {
    const members = await startMembers();
    const [hung] = members;
    const released = Promise.withResolvers<void>();
    hung.onRequest = async (_, path) => {
      if (path === "/api/v1/metrics") await released.promise;
    };
    const router = kept(await LocalRouter.start(configOf(members)));
    await waitFor("the first audit to hang", () => hung.looks > 0);
    hung.isAway = true;
    await waitFor("the audit to end", async () => (await auditsOf(router)) > 0, { timeoutMs: 20_000 });
    released.resolve();
  },
  TEST_TIMEOUT_MS,
);

/** Each group to the member that does not own it. */
async function pushToOthers(router: LocalRouter, members: readonly WatchedMember[]): Promise<void> {
  for (const job of JOBS) {
    const path = `/metrics/job/${job}`;
    const { owner } = await router.ownersOf(path);
    const other = members.find(({ address }) => address !== owner)?.address;
    expect((await fetch(`http://${other}${path}`, { method: "PUT", body: "x 1\n" })).ok).toBe(true);
  }
}
