import { rm } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../../test/support/server-process.ts";
import type { BenchContext } from "../bench-context.ts";
import { type BenchRow, comparisonRow, type Samples } from "../bench-row.ts";
import { memoryOf } from "../process-cost.ts";
import { pushGroups } from "./groups.ts";
import { loadCosts } from "./pushes.ts";
import { type MeasuredPushgateway, peerName, saveGroups, startOurs, startPeer } from "./servers.ts";

/** Groups that are pushed to while they are saved. */
const PUSHED_GROUPS = 10_000;
/** Groups in the file that a server starts with. */
const SAVED_GROUPS = 100_000;
const MAX_START_SECONDS = 10;

const MODES: readonly (readonly [name: string, flags: (file: string) => readonly string[]])[] = [
  ["no persistence", () => []],
  // A second, so that rounds of two see saves; 5 minutes by default.
  ["saved each second", (file) => [`--persistence.file=${file}`, "--persistence.interval=1s"]],
  ["saved before the answer", (file) => [`--persistence.file=${file}`, "--persistence.sync=push"]],
];

/** What persistence costs a push, and how long servers take to start. */
export async function benchEmbeddedDurability(context: BenchContext): Promise<readonly BenchRow[]> {
  return [...(await benchModes(context)), ...(await benchStart(context))];
}

async function benchModes({ signal, progress }: BenchContext): Promise<readonly BenchRow[]> {
  const costs: (readonly [string, Samples])[] = [];
  for (const [name, flags] of MODES) {
    progress(`embedded-durability: ${name}`);
    await using folder = await scratch();
    await using server = await startOurs(flags(join(folder.path, "groups")));
    await pushGroups(server.address, 0, PUSHED_GROUPS, signal);
    costs.push([name, await loadCosts(server, PUSHED_GROUPS, signal)]);
  }
  const [[, without]] = costs as [[string, Samples]];
  return costs.map(([name, cost]) =>
    comparisonRow(`embedded: CPU per push, ${PUSHED_GROUPS} groups, ${name}`, "µs", cost, "no persistence", without),
  );
}

async function benchStart(context: BenchContext): Promise<readonly BenchRow[]> {
  context.progress("embedded-durability: start");
  await using folder = await scratch();
  const flags = [`--persistence.file=${join(folder.path, "groups")}`];
  const empty = await startTime(() => startOurs());
  await using server = await startOurs(flags);
  await pushGroups(server.address, 0, SAVED_GROUPS, context.signal);
  await server.halt();
  const filled = await startTime(() => startOurs(flags));
  const peerFile = await saveGroups("1.11.0", SAVED_GROUPS, context.signal);
  const peerEmpty = await startTime(() => startPeer("1.11.0"));
  const peerFilled = await startTime(() => startPeer("1.11.0", peerFile.file));
  await rm(peerFile.folder, { recursive: true });
  const row = (name: string, ours: StartTime, theirs: StartTime) =>
    comparisonRow(`embedded: start, ${name}`, "s", [ours.seconds], peerName("1.11.0"), [theirs.seconds]);
  return [
    row("nothing saved", empty, peerEmpty),
    {
      ...row(`${SAVED_GROUPS} groups saved`, filled, peerFilled),
      target: `<= ${MAX_START_SECONDS} s`,
      met: filled.seconds <= MAX_START_SECONDS,
    },
    comparisonRow(
      `embedded: memory after a start with ${SAVED_GROUPS} groups`,
      "MiB",
      [filled.mib],
      peerName("1.11.0"),
      [peerFilled.mib],
    ),
  ];
}

interface StartTime {
  readonly seconds: number;
  readonly mib: number;
}

/** Until it answers that it is ready. */
async function startTime(start: () => Promise<MeasuredPushgateway>): Promise<StartTime> {
  const before = performance.now();
  await using server = await start();
  return { seconds: (performance.now() - before) / 1e3, mib: (await memoryOf(server.pid)).own };
}

async function scratch(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await temporaryFolder("bench-durability");
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}
