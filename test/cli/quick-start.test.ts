import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ChildProcess } from "../support/child-process.ts";
import { freePort } from "../support/free-port.ts";
import { REPOSITORY } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

const LAUNCHER = join(REPOSITORY, "bin/dynamic-sharding");

/** A program started in a folder without a configuration file, and what it told its user to do. */
interface QuickStart extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly text: string;
  readonly pushUrl: string;
  readonly members: readonly string[];
}

async function start(argv: readonly string[], config?: string): Promise<QuickStart> {
  const cleanup = new AsyncDisposableStack();
  const folder = await temporaryFolder("quick-start");
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  if (config !== undefined) await Bun.write(join(folder, "given.yml"), config);
  const child = cleanup.use(new ChildProcess([...argv], { cwd: folder }));
  const text = await waitFor("its first words", () => (child.output().includes("Ctrl-C") ? child.output() : undefined));
  const pushUrl = /^ +Push to +(http:\S+\/metrics\/job\/)/m.exec(text)?.[1] ?? "";
  const members = [...(/^ +Members +(.*)$/m.exec(text)?.[1] ?? "").matchAll(/127\.0\.0\.1:\d+/g)].map(
    ([found]) => found,
  );
  const dispose = () => cleanup.disposeAsync();
  return { child, folder, text, pushUrl, members, [Symbol.asyncDispose]: dispose };
}

/** Does what it told its user to do. */
async function follow(line = "false"): Promise<string> {
  return await runCommand(["sh", "-c", line.replace("curl ", "curl --fail --silent ")], { timeoutMs: 10_000 });
}

async function scrape(members: readonly string[]): Promise<string> {
  const texts = await Promise.all(members.map(async (member) => (await fetch(`http://${member}/metrics`)).text()));
  return texts.join("");
}

test("without a configuration file, the router starts with three Pushgateways of its own, as it says", async () => {
  await using started = await start([LAUNCHER]);
  expect(started.members).toHaveLength(3);
  await follow(/^ +Try +(.+)$/m.exec(started.text)?.[1]);
  const sample = 'backup_size_bytes{instance="",job="backup"} 314159\n';
  expect(await scrape(started.members)).toContain(sample);
  expect(await follow(/^ +and +(.+)$/m.exec(started.text)?.[1])).toContain(sample);

  for (let i = 0; i < 20; i++) {
    const { status } = await fetch(`${started.pushUrl}job_${i}`, { method: "PUT", body: "x 1\n" });
    expect(status).toBe(200);
  }
  for (const member of started.members) expect(await scrape([member])).toContain("\nx{");

  started.child.kill("SIGTERM");
  expect(await started.child.exited).toBe(0);
});

test("a second one takes the next free ports, and says so", async () => {
  await using first = await start([LAUNCHER]);
  await using second = await start([LAUNCHER]);
  expect(second.text).toMatch(/^Port 9292 is taken: the router listens on \d+\.$/m);
  expect(second.text).toContain("Not all ports from 9091 on are free: ");
  expect(second.pushUrl).not.toBe(first.pushUrl);
  expect(second.members.filter((member) => first.members.includes(member))).toEqual([]);

  second.child.kill("SIGHUP");
  await waitFor("the reload", () => second.child.output().includes("Reloaded the configuration"));
  expect(second.child.output()).not.toContain("Ignoring the new listen address");
});

test("a file without Pushgateways leads to the same, and one that names some later replaces them", async () => {
  const address = `127.0.0.1:${freePort()}`;
  await using started = await start([LAUNCHER, "--config.file=given.yml"], `http_listen_addr: ${address}\n`);
  expect(started.pushUrl).toBe(`http://localhost:${address.split(":")[1]}/metrics/job/`);

  const other = `127.0.0.1:${freePort()}`;
  await Bun.write(
    join(started.folder, "given.yml"),
    `http_listen_addr: ${address}\npushgateway: { servers: ["${other}"] }\n`,
  );
  started.child.kill("SIGHUP");
  await waitFor("the other member", async () => {
    const { data } = (await (await fetch(`http://${address}/api/v1/members`)).json()) as {
      data: { members: readonly { address: string }[] };
    };
    return data.members.map((member) => member.address).join() === other;
  });
});

test("what it says reaches it also where it listens on a single address", async () => {
  const address = `127.0.0.2:${freePort("127.0.0.2")}`;
  await using started = await start([LAUNCHER, `--web.listen-address=${address}`]);
  expect(started.pushUrl).toBe(`http://${address}/metrics/job/`);
  await follow(/^ +Try +(.+)$/m.exec(started.text)?.[1]);
});

test("npm start is the same", async () => {
  await using started = await start(["npm", "--prefix", REPOSITORY, "start"]);
  expect(started.members).toHaveLength(3);
  // npm does not pass a signal on; Ctrl-C in a terminal reaches all.
  process.kill(await lastDescendant(started.child.pid), "SIGINT");
  expect(await started.child.exited).toBe(0);
});

async function lastDescendant(pid: number): Promise<number> {
  const [child] = (await Bun.file(`/proc/${pid}/task/${pid}/children`).text()).split(" ");
  return child === undefined || child === "" ? pid : await lastDescendant(Number(child));
}
