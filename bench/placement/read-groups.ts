/**
 * `bun read-groups.ts list|read ADDRESS...`: lists the groups of all members, two at a time as audits do, or reads a hundred of the first member's in
 * full, and prints what that took as JSON. In a process of its own, so that its memory and its turns are those of the work.
 */

import { readGroups } from "../../src/pushgateway/group-contents.ts";
import { listGroups } from "../../src/pushgateway/group-listing.ts";
import { WorkSlices } from "../../src/work-slices.ts";
import { CpuClock, memoryOf } from "../process-cost.ts";

/** What the work took. */
export interface ReadingCost {
  readonly groups: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** How much more memory was resident at the peak than before. */
  readonly peakGrowthMib: number;
  /** The most processor time that passed on the main thread before a timer got its turn. */
  readonly longestTurnMs: number;
}

const OPTIONS = { timeoutMs: 120_000, idleTimeoutMs: 30_000, slices: new WorkSlices() };
const GROUPS_TO_READ = 100;
const LISTINGS_AT_ONCE = 2;
const MEMORY_INTERVAL_MS = 10;

/** Watches turns and memory while the work goes on. */
async function measure(work: () => Promise<{ groups: number; bytes: number }>): Promise<ReadingCost> {
  using clock = new CpuClock();
  Bun.gc(true);
  const before = (await memoryOf(process.pid)).resident;
  let peak = before;
  let longestNs = 0;
  let turnStart = clock.usedByThreadNs();
  const turns = setInterval(() => {
    const now = clock.usedByThreadNs();
    longestNs = Math.max(longestNs, now - turnStart);
    turnStart = now;
  }, 1);
  const memory = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss() / 2 ** 20);
  }, MEMORY_INTERVAL_MS);
  const started = performance.now();
  const cpuStarted = clock.usedUs(process.pid);
  const done = await work();
  const seconds = (performance.now() - started) / 1e3;
  const cpuSeconds = (clock.usedUs(process.pid) - cpuStarted) / 1e6;
  clearInterval(turns);
  clearInterval(memory);
  return { ...done, seconds, cpuSeconds, peakGrowthMib: peak - before, longestTurnMs: longestNs / 1e6 };
}

async function listAll(addresses: readonly string[]): Promise<{ groups: number; bytes: number }> {
  // What an audit makes of a group: it looks at its key and its time, and keeps nothing.
  let newest = 0;
  const visit = ({ pushTime }: { readonly pushTime: number }) => {
    newest = Math.max(newest, pushTime);
  };
  const left = [...addresses];
  let groups = 0;
  let bytes = 0;
  const work = async () => {
    for (let address = left.shift(); address !== undefined; address = left.shift()) {
      const summary = await listGroups(address, OPTIONS, visit);
      groups += summary.groups;
      bytes += summary.bytes;
    }
  };
  await Promise.all(Array.from({ length: LISTINGS_AT_ONCE }, work));
  return { groups, bytes };
}

async function readSome(address: string): Promise<{ groups: number; bytes: number }> {
  const ids = new Set<string>();
  const { bytes } = await listGroups(address, OPTIONS, ({ id }) => {
    if (ids.size < GROUPS_TO_READ) ids.add(id);
  });
  const contents = await readGroups(address, ids, OPTIONS);
  return { groups: contents.size, bytes };
}

const [task, ...addresses] = process.argv.slice(2);
const [first = ""] = addresses;
console.log(JSON.stringify(await measure(() => (task === "list" ? listAll(addresses) : readSome(first)))));
