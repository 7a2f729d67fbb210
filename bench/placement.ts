import { join } from "node:path";
import { startPushgateways } from "../test/support/pushgateway.ts";
import { runCommand } from "../test/support/run-command.ts";
import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { DoubleMembers, type PlacedGroup } from "./placement/double-members.ts";
import { groupKey, type Push, PushLoad } from "./placement/push-load.ts";
import type { ReadingCost } from "./placement/read-groups.ts";
import {
  benchChange,
  benchDirectory,
  costWithoutGroups,
  type FirstAudit,
  startAudited,
} from "./placement/router-cost.ts";
import { benchLatency } from "./placement/router-latency.ts";

const MEMBERS = 10;
const GROUPS = 100_000;
const FILL_CONCURRENCY = 64;
const READING_DEADLINE_MS = 300_000;
const LONGEST_TURN_MS = 10;
const HIGHEST_GROWTH_MIB = 100;

/**
 * What it takes to look at all groups of a cluster, and to read a hundred of them in full; and what all of that costs a router
 * and the pushes through it. Most of the time is the Pushgateways', which put their answers together on the same machine; the
 * processor time is ours alone.
 */
export async function benchPlacement(context: BenchContext): Promise<readonly BenchRow[]> {
  return [...(await benchStock(context)), ...(await benchEmbedded(context))];
}

async function benchStock(context: BenchContext): Promise<readonly BenchRow[]> {
  // With the check, a push to a stock Pushgateway takes time in proportion to all that is stored.
  const flags = ["--push.disable-consistency-check", "--log.level=error"];
  const members = await startPushgateways(MEMBERS, { flags });
  try {
    const addresses = members.map(({ address }) => address);
    const groups = Array.from({ length: GROUPS }, (_, number) => number);
    const pushes = groups.map((i) => ({ address: addresses[i % MEMBERS] as string, key: groupKey(i) }));
    await fill(context, "stock", pushes);
    return await benchReading(context, "stock", addresses);
  } finally {
    for (const member of members) await member.stop();
  }
}

async function benchEmbedded(context: BenchContext): Promise<readonly BenchRow[]> {
  await using members = await DoubleMembers.start(MEMBERS);
  const empty = await costWithoutGroups(members);
  const groups = members.groups(GROUPS);
  const pushes = groups.map(({ key, home }) => ({ address: members.addresses[home] as string, key }));
  await fill(context, "embedded", pushes);
  return [
    ...(await benchReading(context, "embedded", members.addresses)),
    ...(await benchRouter(context, members, groups, empty)),
  ];
}

async function benchRouter(
  context: BenchContext,
  members: DoubleMembers,
  groups: readonly PlacedGroup[],
  empty: FirstAudit,
): Promise<readonly BenchRow[]> {
  const [home, tidy] = await startAudited(members.addresses);
  await using _ = home;
  const cluster = { context, members, groups, home };
  return [
    ...(await benchDirectory(cluster, empty, tidy)),
    ...(await benchLatency(cluster)),
    ...(await benchChange(cluster)),
  ];
}

async function fill({ signal, progress }: BenchContext, kind: string, pushes: readonly Push[]): Promise<void> {
  progress(`placement: pushing ${GROUPS} groups to ${kind} members`);
  using load = new PushLoad(FILL_CONCURRENCY);
  await load.pushAll(pushes, signal);
}

async function benchReading(
  { progress }: BenchContext,
  kind: string,
  addresses: readonly string[],
): Promise<readonly BenchRow[]> {
  progress(`placement: listing and reading groups of ${kind} members`);
  return [
    ...rows(`placement: list ${GROUPS} groups, ${MEMBERS} ${kind} members`, await read("list", addresses)),
    ...rows(`placement: read 100 groups, ${kind} member`, await read("read", addresses)),
  ];
}

async function read(task: "list" | "read", addresses: readonly string[]): Promise<ReadingCost> {
  const program = join(import.meta.dir, "placement", "read-groups.ts");
  const output = await runCommand([process.execPath, program, task, ...addresses], { timeoutMs: READING_DEADLINE_MS });
  return JSON.parse(output) as ReadingCost;
}

function rows(name: string, cost: ReadingCost): readonly BenchRow[] {
  const megabytes = cost.bytes / 1e6;
  const turn = {
    value: cost.longestTurnMs,
    target: `<= ${LONGEST_TURN_MS} ms`,
    met: cost.longestTurnMs <= LONGEST_TURN_MS,
  };
  const growth = {
    value: cost.peakGrowthMib,
    target: `<= ${HIGHEST_GROWTH_MIB} MiB`,
    met: cost.peakGrowthMib <= HIGHEST_GROWTH_MIB,
  };
  return [
    { name: `${name}, wall clock`, value: cost.seconds, unit: "s" },
    { name: `${name}, per second of CPU`, value: megabytes / cost.cpuSeconds, unit: "MB" },
    { name: `${name}, memory at the peak`, unit: "MiB", ...growth },
    { name: `${name}, longest turn`, unit: "ms", ...turn },
  ];
}
