import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { groupsOf, mergedGroups } from "../support/groups.ts";
import { codeBlocks } from "../support/markdown.ts";
import { describeWithParts, part, REPOSITORY } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";
import { runCommand } from "../support/run-command.ts";
import { waitFor } from "../support/wait-for.ts";

const page = await Bun.file(join(REPOSITORY, "docs/stale-copies.md")).text();
const TEST_TIMEOUT_MS = 30_000;

const [forOneGroup = "", listing = "", deletion = ""] = codeBlocks(page, "sh");

/** Runs commands of the page, against a router of ours. Returns what they print. */
async function run(commands: string, router: RouterProcess): Promise<string> {
  const script = commands.replaceAll("http://localhost:9292", router.url);
  const folders = [dirname(await part("jq")), dirname(await part("curl"))];
  const { PATH } = process.env;
  return await runCommand(["sh", "-euc", script], { env: { PATH: [...folders, PATH].join(":") } });
}

async function push(member: Pushgateway, path: string, value: number): Promise<void> {
  const response = await fetch(`${member.url}${path}`, { method: "PUT", body: `batch_records ${value}\n` });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

await describeWithParts(["pushgateway-1.11.0", "jq", "curl"], "docs/stale-copies.md", () => {
  test(
    "removes the copies of one group from all members but its owner",
    async () => {
      await using cluster = new AsyncDisposableStack();
      const members = (await startPushgateways(3)).map((member) => cluster.use(member));
      const router = cluster.use(await startRouter(members));
      const group = /^group=(\S+)$/m.exec(forOneGroup)?.[1] ?? "";
      for (const member of members) await push(member, group, 1);
      await run(forOneGroup, router);
      const answer = await (await fetch(`${router.url}${group}`)).text();
      const owner = members.find(({ address }) => answer === `nextUrl:http://${address}${group}`);
      expect(owner).toBeDefined();
      for (const member of members) {
        const count = member === owner ? 1 : 0;
        await waitFor(`${count} groups at ${member.address}`, async () => (await groupsOf(member.url)).size === count);
      }
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "removes all copies but the newest of each group, whatever its labels",
    async () => {
      await using cluster = new AsyncDisposableStack();
      const members = (await startPushgateways(3)).map((member) => cluster.use(member));
      const router = cluster.use(await startRouter(members));
      const paths = [
        "/metrics/job/plain",
        "/metrics/job/labels/zone/z1/instance/db-1",
        "/metrics/job/%C3%B6dd%20%22job%22/path@base64/L3Zhci9saWI",
        "/metrics/job@base64/YS9i/empty@base64/=",
        "/metrics/job/plus/text/a+b~%3F%3E",
      ];
      for (const [index, path] of paths.entries()) {
        // The newest copy at another member each time, not always at the owner.
        for (let turn = 0; turn < 3; turn++) await push(members[(index + turn) % 3] as Pushgateway, path, turn);
      }
      await push(members[0] as Pushgateway, "/metrics/job/single", 2);
      const expected = (await mergedGroups(members.map(({ url }) => url))).groups;
      expect(expected.size).toBe(paths.length + 1);

      const urls = (await run(listing, router)).trim().split("\n");
      expect(urls.length).toBe(2 * paths.length);
      await run(`${listing}${deletion}`, router);

      const held = await waitFor("the old copies to go", async () => {
        const { groups, doubled } = await mergedGroups(members.map(({ url }) => url));
        return doubled.size === 0 && groups;
      });
      expect([...held.keys()]).toEqual([...expected.keys()]);
      for (const families of held.values()) {
        expect(families).toMatchObject({ batch_records: { metrics: [{ value: "2" }] } });
      }
      expect((await run(listing, router)).trim()).toBe("");
    },
    TEST_TIMEOUT_MS,
  );
});

async function startRouter(members: readonly Pushgateway[]): Promise<RouterProcess> {
  return await startRouterProcess({
    config: { pushgateway: { port: members[0]?.port, servers: members.map(({ host }) => host) } },
  });
}
