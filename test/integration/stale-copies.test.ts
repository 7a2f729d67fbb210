import { expect, test } from "bun:test";
import { dirname, join } from "node:path";
import { groupsOf } from "../support/groups.ts";
import { codeBlocks } from "../support/markdown.ts";
import { describeWithParts, part, REPOSITORY } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";
import { runCommand } from "../support/run-command.ts";
import { waitFor } from "../support/wait-for.ts";

const page = await Bun.file(join(REPOSITORY, "docs/stale-copies.md")).text();
const TEST_TIMEOUT_MS = 30_000;

const [listing = "", forOneGroup = ""] = codeBlocks(page, "sh");

/** Runs commands of the page, against a router of ours. Returns what they print. */
async function run(commands: string, router: RouterProcess): Promise<string> {
  const script = commands.replaceAll("http://localhost:9292", router.url);
  const folders = [join(REPOSITORY, "bin"), dirname(await part("jq")), dirname(await part("curl"))];
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
    "prints the groups that have several copies, and which of them are old",
    async () => {
      await using cluster = new AsyncDisposableStack();
      const members = (await startPushgateways(3)).map((member) => cluster.use(member));
      const [first, second, third] = members as [Pushgateway, Pushgateway, Pushgateway];
      const path = "/metrics/job/labels/zone/z1";
      for (const member of [third, first]) await push(member, path, 1);
      await push(second, "/metrics/job/single", 2);
      const router = cluster.use(await startRouter(members));
      const printed = (await run(listing, router)).trim().split("\n");
      expect(printed.map((line) => JSON.parse(line) as unknown)).toEqual([
        { path, holders: [first, third].map(({ address }) => ({ address, stale: expect.any(Boolean) })) },
      ]);
    },
    TEST_TIMEOUT_MS,
  );
});

async function startRouter(members: readonly Pushgateway[]): Promise<RouterProcess> {
  return await startRouterProcess({
    config: { pushgateway: { port: members[0]?.port, servers: members.map(({ host }) => host) } },
  });
}
