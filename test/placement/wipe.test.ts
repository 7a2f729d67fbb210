import { afterEach, expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";
import { WatchedMember } from "./watched-member.ts";

const TEST_TIMEOUT_MS = 60_000;
const JOBS = Array.from({ length: 20 }, (_, index) => `job-${index}`);

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function stateOf(router: LocalRouter, wanted: string): Promise<string | undefined> {
  const { data } = (await (await router.get("/api/v1/members")).json()) as {
    data: { members: readonly { address: string; state: string }[] };
  };
  return data.members.find(({ address }) => address === wanted)?.state;
}

async function pushAll(router: LocalRouter): Promise<void> {
  const pushes = JOBS.map((job) => router.push(`/metrics/job/${job}`));
  for (const response of await Promise.all(pushes)) expect(response.status).toBe(200);
}

async function wipe(router: LocalRouter): Promise<void> {
  expect((await router.get("/api/v1/admin/wipe", { method: "PUT" })).status).toBe(202);
}

await describeWithParts(["pushgateway-1.11.0"], "wipe", () => {
  test(
    "holds against pushes that a frozen member applies when it thaws",
    async () => {
      const flags = ["--web.enable-admin-api"];
      const frozen = resources.use(await startPushgateway({ flags }));
      const other = resources.use(await startPushgateway({ flags }));
      const router = resources.use(await LocalRouter.start(configOf([frozen, other])));
      await frozen.freeze();
      try {
        // Each waits at the frozen member, is given up there, and acknowledged by the other one.
        await pushAll(router);
        await wipe(router);
        await Bun.sleep(500); // Apart enough for clocks that are known to a tenth of a second.
      } finally {
        frozen.kill("SIGCONT");
      }
      await waitFor("the member to be back", async () => (await stateOf(router, frozen.address)) === "active", {
        timeoutMs: 30_000,
      });
      expect([(await groupsOf(frozen.url)).size, (await groupsOf(other.url)).size]).toEqual([0, 0]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "reaches a member that was away, and could not be looked at when it returned",
    async () => {
      const [held, other] = [
        resources.use(await LocalPushgateway.start()),
        resources.use(await LocalPushgateway.start()),
      ];
      const members = [held, other].map(({ url }) => resources.use(new WatchedMember(url, { speaksGroupsApi: false })));
      const router = resources.use(await LocalRouter.start(configOf(members, { groups: { audit_interval: "1s" } })));
      await pushAll(router);
      expect((await groupsOf(held.url)).size).toBeGreaterThan(0);
      const [away] = members as [WatchedMember, WatchedMember];
      away.isAway = true;
      await waitFor("it to be down", async () => (await stateOf(router, away.address)) === "down");
      await wipe(router);
      away.listsGroups = false;
      away.isAway = false;
      await waitFor("it to be back", async () => (await stateOf(router, away.address)) === "active", {
        timeoutMs: 30_000,
      });
      away.listsGroups = true;
      await waitFor("its groups to be gone", async () => (await groupsOf(held.url)).size === 0, { timeoutMs: 20_000 });
    },
    TEST_TIMEOUT_MS,
  );
});
