import { expect, test } from "bun:test";
import { join } from "node:path";
import { PlacementCluster } from "../placement/placement-fixture.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { freePort } from "../support/free-port.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts, REPOSITORY } from "../support/parts.ts";
import type { Pushgateway } from "../support/pushgateway.ts";
import { type CommandResult, tryCommand } from "../support/run-command.ts";

const LAUNCHER = join(REPOSITORY, "bin/dynamic-sharding");
const TEST_TIMEOUT_MS = 60_000;

function run({ router }: { readonly router: LocalRouter }, ...args: readonly string[]): Promise<CommandResult> {
  return tryCommand([LAUNCHER, ...args, `--router.url=${router.url}`], { timeoutMs: 30_000 });
}

/** The lines of a table, by column. */
function tableOf(text: string): readonly (readonly string[])[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/ {2,}/));
}

async function pushTo(member: { readonly url: string } | undefined, path: string): Promise<void> {
  const response = await fetch(`${member?.url}${path}`, { method: "PUT", body: "x 1\n" });
  expect(response.status).toBe(200);
}

await describeWithParts(["pushgateway-1.11.0", "pushgateway-1.5.1"], "a command against a live router", () => {
  test(
    "groups list shows last push, owner and copies of the groups that match",
    async () => {
      await using cluster = await PlacementCluster.start(2);
      const path = "/metrics/job/spark-1/instance/a%20%22b%22";
      const { owner, failOver } = await cluster.router.ownersOf(path);
      const stranger = cluster.members.find(({ address }) => address === failOver[0]);
      await pushTo(stranger, path);
      await cluster.router.push(path);
      await cluster.router.push("/metrics/job/hive");

      const { exitCode, stdout, stderr } = await run(cluster, "groups", "list", '--match={job=~"spark-.*"}');
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "1 group\n" });
      const [titles, row = []] = tableOf(stdout);
      expect(titles).toEqual(["LAST PUSH", "OWNER", "COPIES", "GROUP"]);
      expect(row[0]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(Date.parse(row[0] ?? "")).toBeGreaterThan(Date.now() - 60_000);
      expect(row[1]).toBe(owner);
      expect(row[2]).toContain(owner);
      expect(row[3]).toBe(String.raw`{job="spark-1",instance="a \"b\""}`);

      const json = await run(cluster, "groups", "list", "--output=json", '--match={job="hive"}', '--match={job="pig"}');
      expect(json.exitCode).toBe(0);
      expect(JSON.parse(json.stdout)).toMatchObject({ groups: [{ labels: { job: "hive" } }], missing_members: [] });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "groups list goes through all pages",
    async () => {
      await using member = await LocalPushgateway.start();
      await using router = await LocalRouter.start(configOf([member]));
      const jobs = Array.from({ length: 1_001 }, (_, index) => `job_${index}`);
      await Promise.all(jobs.map((job) => pushTo(member, `/metrics/job/${job}`)));
      const { stdout, stderr } = await run({ router }, "groups", "list");
      expect(stderr).toBe("1001 groups\n");
      const listed = tableOf(stdout)
        .slice(1)
        .map(([, , , group]) => group);
      expect(listed.toSorted()).toEqual(jobs.map((job) => `{job="${job}"}`).toSorted());
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "groups delete deletes what matches, on all members, and nothing in a dry run",
    async () => {
      await using cluster = await PlacementCluster.start(2);
      for (const member of cluster.members) await pushTo(member, "/metrics/job/spark-1");
      await cluster.pushAll(["spark-2", "hive"], "x 1\n");
      const match = '--match={job=~"spark-.*"}';

      const dry = await run(cluster, "groups", "delete", match, "--dry-run");
      expect(dry).toMatchObject({ exitCode: 0, stderr: "Would delete 2 groups.\n" });
      expect(tableOf(dry.stdout).map(([, group]) => group)).toEqual(["GROUP", '{job="spark-1"}', '{job="spark-2"}']);
      for (const job of ["spark-1", "spark-2"]) expect(await cluster.held(job)).not.toEqual({});

      const real = await run(cluster, "groups", "delete", match);
      expect(real).toEqual({ ...dry, stderr: "Deleted 2 groups.\n" });
      for (const job of ["spark-1", "spark-2"]) await cluster.waitForHeld(job, {});
      expect(Object.keys(await cluster.held("hive"))).toHaveLength(1);

      const again = await run(cluster, "groups", "delete", match, "--output=json");
      expect(again).toMatchObject({ exitCode: 0, stderr: "" });
      expect(JSON.parse(again.stdout)).toMatchObject({ dry_run: false, matched: 0, deleted: 0, groups: [] });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "names the members that could not be asked, and exits 1 when something may be left there",
    async () => {
      await using cluster = await PlacementCluster.start(2);
      const [alive, dead] = cluster.members as [Pushgateway, Pushgateway];
      await pushTo(alive, "/metrics/job/spark-1");
      await dead.halt();
      const match = '--match={job="spark-1"}';
      const list = await run(cluster, "groups", "list", match);
      expect(list).toMatchObject({
        exitCode: 0,
        stderr: `1 group\nCould not ask ${dead.address}: groups that only they have are not listed.\n`,
      });
      const deletion = await run(cluster, "groups", "delete", match);
      expect(deletion.exitCode).toBe(1);
      expect(deletion.stderr).toContain(
        `Could not ask ${dead.address}: they may still have copies; run the command again when they are back.\n`,
      );
      await cluster.waitForHeld("spark-1", {});
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "plan says what would move, and nothing does",
    async () => {
      await using cluster = await PlacementCluster.start(2);
      const jobs = Array.from({ length: 40 }, (_, index) => `job_${index}`);
      await cluster.pushAll(jobs, "x 1\n");
      const [one, other] = cluster.members.map(({ address }) => address) as [string, string];
      const newcomer = `127.0.0.1:${freePort()}`;

      const leaving = await run(cluster, "plan", `--remove=${one}`);
      const owned = (await Promise.all(jobs.map((job) => cluster.router.ownersOf(`/metrics/job/${job}`)))).filter(
        ({ owner }) => owner === one,
      ).length;
      expect(leaving).toMatchObject({ exitCode: 0, stderr: "" });
      const [summary, , ...table] = tableOf(leaving.stdout);
      expect(summary?.[0]).toBe(
        `${owned} of 40 groups would move (${((100 * owned) / 40).toFixed(1)} %): 2 Pushgateways now, 1 then.`,
      );
      expect(table).toEqual([
        ["GROUPS", "FROM", "TO"],
        [String(owned), one, other],
      ]);

      const replacing = await run(cluster, "plan", `--remove=${one}`, `--add=${newcomer}`, "--output=json");
      expect(JSON.parse(replacing.stdout)).toMatchObject({ members_after: [newcomer, other].sort(), groups: 40 });

      expect(await run(cluster, "plan", `--add=${one}`)).toEqual({
        exitCode: 1,
        stdout: "",
        stderr: `dynamic-sharding: The router at ${cluster.router.url} refuses: Cannot add "${one}": it is a member already\n`,
      });
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "evacuate moves the groups of a draining member, and refuses one that takes pushes",
    async () => {
      await using cluster = await PlacementCluster.start(2);
      const jobs = Array.from({ length: 20 }, (_, index) => `job_${index}`);
      await cluster.pushAll(jobs, "x 1\n");
      const [leaving, staying] = cluster.members as [Pushgateway, Pushgateway];
      const refusal = await run(cluster, "evacuate", leaving.address);
      expect(refusal).toMatchObject({ exitCode: 1, stdout: "" });
      expect(refusal.stderr).toContain(`refuses: Cannot evacuate "${leaving.address}": it is active; drain it first`);

      const held = (await Promise.all(jobs.map((job) => cluster.held(job)))).filter(
        (at) => leaving.address in at,
      ).length;
      expect(held).toBeGreaterThan(0);
      const servers = cluster.members.map(({ address }) => address);
      await cluster.reconfigure(2, { pushgateway: { servers, draining: [leaving.address] } });
      await cluster.waitForState(leaving, "draining");
      expect(await run(cluster, "evacuate", leaving.address)).toEqual({
        exitCode: 0,
        stdout: `Moved ${held} groups from ${leaving.address}.\n`,
        stderr: "",
      });
      for (const job of jobs) await cluster.waitForHeld(job, { [staying.address]: { x: 1 } });
    },
    TEST_TIMEOUT_MS,
  );
});
