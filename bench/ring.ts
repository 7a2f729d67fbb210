import { parsePushPath } from "../src/sharding/grouping-key.ts";
import { HashRing } from "../src/sharding/hash-ring.ts";
import type { BenchRow } from "./bench-row.ts";
import { CpuClock } from "./process-cost.ts";

const MEMBERS = [3, 10, 100, 300, 1_000];
const MAX_BUILD_MS = 30;
const MAX_LOOKUP_NS = 1_000;
const BUDGET_MS = 500;
/** So many that neither the paths nor the ring's points fit in the fast caches. */
const PATHS = 16_384;

const PATH_SHAPES: readonly (readonly [name: string, path: (i: number) => string, isOrdinary: boolean])[] = [
  ["job only", (i) => `/metrics/job/batch_${i}`, true],
  ["2 labels", (i) => `/metrics/job/batch_${i}/instance/host-${i}.example.org:8080/zone/z${i % 7}`, true],
  ["3 labels", (i) => `/metrics/job/batch_${i}/instance/host-${i}:8080/region/eu-${i % 5}/zone/z${i % 7}`, true],
  [
    "3 labels, unsorted",
    (i) => `/metrics/job/batch_${i}/zone/z${i % 7}/region/eu-${i % 5}/instance/host-${i}:8080`,
    true,
  ],
  [
    "1 label in base64",
    (i) => `/metrics/job/batch_${i}/path@base64/${Buffer.from(`/var/${i}`).toString("base64url")}`,
    false,
  ],
  ["percent-encoded", (i) => `/metrics/job/batch%20${i}/instance/host%3A${i}`, false],
];

/** CPU time to build the ring, and to get from a push path to its owner. */
export async function benchRing(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  using clock = new CpuClock();
  for (const count of MEMBERS) {
    rows.push(benchBuild(clock, count));
    await Bun.sleep(0);
  }
  for (const [name, pathOf, isOrdinary] of PATH_SHAPES) {
    rows.push(benchLookup(clock, name, pathOf, isOrdinary));
    await Bun.sleep(0);
  }
  return rows;
}

function benchBuild(clock: CpuClock, count: number): BenchRow {
  const members = addresses(count);
  const value = median(clock, () => HashRing.build(members)) / 1e6;
  const row = { name: `ring build, ${count} members`, value, unit: "ms" };
  return count < 1_000 ? row : { ...row, target: `<= ${MAX_BUILD_MS} ms`, met: value <= MAX_BUILD_MS };
}

function benchLookup(clock: CpuClock, shape: string, pathOf: (i: number) => string, isOrdinary: boolean): BenchRow {
  const ring = HashRing.build(addresses(1_000));
  const takesPushes = new Uint8Array(ring.members.length).fill(1);
  // Straight from a buffer, like a path off a socket: a flat string whose hash nobody has computed yet.
  const paths = Array.from({ length: PATHS }, (_, i) => Buffer.from(pathOf(i)).toString("latin1"));
  const nanoseconds = median(clock, () => {
    let sum = 0;
    for (const path of paths) sum += ring.ownerIndex(parsePushPath(path, LEGACY_NAMES).canonicalPath, takesPushes);
    return sum;
  });
  const value = nanoseconds / PATHS;
  const row = { name: `key parse + owner of 1,000, ${shape}`, value, unit: "ns" };
  return isOrdinary ? { ...row, target: `<= ${MAX_LOOKUP_NS} ns`, met: value <= MAX_LOOKUP_NS } : row;
}

const LEGACY_NAMES = { utf8Names: false };

function addresses(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `10.20.${Math.floor(i / 250)}.${i % 250}:9091`);
}

/** The median CPU time of a run in nanoseconds, over as many runs as the budget allows and after a quarter of it to warm up. */
function median(clock: CpuClock, run: () => unknown): number {
  const deadline = performance.now() + BUDGET_MS;
  while (performance.now() < deadline - (3 * BUDGET_MS) / 4) run();
  const times: number[] = [];
  while (times.length < 3 || performance.now() < deadline) {
    const start = clock.usedByThreadNs();
    run();
    times.push(clock.usedByThreadNs() - start);
  }
  return times.sort((a, b) => a - b)[times.length >>> 1] as number;
}
