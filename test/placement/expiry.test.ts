import { afterEach, describe, expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { waitFor } from "../support/wait-for.ts";
import { WatchedMember } from "./watched-member.ts";

const TEST_TIMEOUT_MS = 30_000;
const JOBS = Array.from({ length: 40 }, (_, index) => `weekly-${index}`);
const RATE = 4;
const TTL = [{ match: '{job=~"weekly-.*"}', after: "1h" }];
const CONFIG = { groups: { audit_interval: "2s", clean_up_rate: RATE, ttl: TTL } };

const cleanups: AsyncDisposable[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup[Symbol.asyncDispose]();
});

function kept<T extends AsyncDisposable>(part: T): T {
  cleanups.push(part);
  return part;
}

/** A Pushgateway with groups that were pushed two hours ago. */
async function startWithOldGroups(): Promise<LocalPushgateway> {
  const pushgateway = kept(await LocalPushgateway.start());
  const pushedAt = Date.now() / 1000 - 7_200;
  for (const job of JOBS) {
    const query = `path=${encodeURIComponent(`/metrics/job/${job}`)}&push_time_seconds=${pushedAt}`;
    const response = await fetch(`${pushgateway.url}/api/v1/group?${query}`, { method: "PUT", body: "x 1\n" });
    expect(response.ok).toBe(true);
  }
  return pushgateway;
}

/** As clients do that were redirected, or that use another router. */
async function pushAll(url: string): Promise<void> {
  for (const job of JOBS) await fetch(`${url}/metrics/job/${job}`, { method: "PUT", body: "x 2\n" });
}

/** Pushes all groups when the first of them is about to be deleted, and says how many are there at the next look. */
async function groupsLeftWhenPushedMeanwhile(speaksGroupsApi: boolean): Promise<number> {
  const pushgateway = await startWithOldGroups();
  const member = kept(new WatchedMember(pushgateway.url, { speaksGroupsApi }));
  const pushed = Promise.withResolvers<void>();
  member.onRequest = async (method) => {
    if (method !== "DELETE") return;
    if (member.deletions === 1) pushed.resolve(pushAll(pushgateway.url));
    await pushed.promise;
  };
  kept(await LocalRouter.start(configOf([member], CONFIG)));
  await pushed.promise;
  const looks = member.looks;
  await waitFor("another look", () => member.looks > looks, { timeoutMs: 20_000 });
  return (await groupsOf(pushgateway.url)).size;
}

describe("expiry", () => {
  test(
    "spares groups that are pushed again while others are being deleted, but for those of a second",
    async () => {
      expect(await groupsLeftWhenPushedMeanwhile(false)).toBeGreaterThanOrEqual(JOBS.length - RATE);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "spares all of them where members delete on condition",
    async () => {
      expect(await groupsLeftWhenPushedMeanwhile(true)).toBe(JOBS.length);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "deletes all that have expired, a second's worth behind each look",
    async () => {
      const pushgateway = await startWithOldGroups();
      kept(await LocalRouter.start(configOf([pushgateway], { groups: { clean_up_rate: 15, ttl: TTL } })));
      const isEmpty = async () => (await groupsOf(pushgateway.url)).size === 0;
      await waitFor("the groups to be gone", isEmpty, { timeoutMs: 20_000 });
    },
    TEST_TIMEOUT_MS,
  );
});
