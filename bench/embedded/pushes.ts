import { rm } from "node:fs/promises";
import type { BenchContext } from "../bench-context.ts";
import { type BenchRow, comparisonRow, type Samples } from "../bench-row.ts";
import { CpuClock } from "../process-cost.ts";
import { runLoad } from "../wrk.ts";
import { pushGroups } from "./groups.ts";
import {
  type MeasuredPushgateway,
  PEER_VERSIONS,
  type PeerVersion,
  peerName,
  saveGroups,
  startOurs,
  startPeer,
} from "./servers.ts";

/** How many groups are stored, and how many pushes are enough for a figure of a real Pushgateway, which gets slower with them. */
const SIZES: readonly (readonly [groups: number, peerPushes: number])[] = [
  [10, 5_000],
  [1_000, 1_000],
  [10_000, 20],
  [100_000, 2],
];
const ROUNDS = 3;
const LOAD = { connections: 32, seconds: 2 };
const LOWEST_RATE = 20_000;
const HIGHEST_GROWTH = 1.2;

/** CPU time of a push of two series, by how many groups are stored, with the consistency check. */
export async function benchEmbeddedPushes(context: BenchContext): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  const costs: Samples[] = [];
  for (const [groups, peerPushes] of SIZES) {
    context.progress(`embedded-pushes: ${groups} groups`);
    const ours = await ourCosts(context, groups);
    costs.push(ours);
    for (const version of PEER_VERSIONS) {
      const theirs = await peerCosts(context, version, groups, peerPushes);
      rows.push(comparisonRow(`embedded: CPU per push, ${groups} groups`, "µs", ours, peerName(version), theirs));
    }
  }
  return [...rows, ...targets(costs[0] as Samples, costs.at(-1) as Samples)];
}

function targets(few: Samples, many: Samples): readonly BenchRow[] {
  const name = `${SIZES.at(-1)?.[0]} groups`;
  const { value: cost, ratio: growth = Number.NaN } = comparisonRow("", "µs", many, "", few);
  const rate = 1e6 / cost;
  return [
    {
      name: `embedded: pushes a second of one core, ${name}`,
      value: rate,
      unit: "",
      target: `>= ${LOWEST_RATE}`,
      met: rate >= LOWEST_RATE,
    },
    {
      name: `embedded: CPU per push, ${name} over 10`,
      value: growth,
      unit: "x",
      target: `<= ${HIGHEST_GROWTH}x`,
      met: growth <= HIGHEST_GROWTH,
    },
  ];
}

async function ourCosts({ signal }: BenchContext, groups: number): Promise<Samples> {
  await using server = await startOurs();
  await pushGroups(server.address, 0, groups, signal);
  return await loadCosts(server, groups, signal);
}

/** Microseconds for each push under full load. */
export async function loadCosts(server: MeasuredPushgateway, groups: number, signal: AbortSignal): Promise<Samples> {
  using clock = new CpuClock();
  await runLoad(server.address, { ...LOAD, groups });
  const costs: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    signal.throwIfAborted();
    const before = clock.usedUs(server.pid);
    const { requests } = await runLoad(server.address, { ...LOAD, groups });
    costs.push((clock.usedUs(server.pid) - before) / requests);
  }
  return costs;
}

async function peerCosts(
  { signal }: BenchContext,
  version: PeerVersion,
  groups: number,
  pushes: number,
): Promise<Samples> {
  const { folder, file } = await saveGroups(version, groups, signal);
  try {
    await using server = await startPeer(version, file);
    using clock = new CpuClock();
    const costs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const before = clock.usedUs(server.pid);
      await pushRepeatedly(server.address, groups, pushes, signal);
      costs.push((clock.usedUs(server.pid) - before) / pushes);
    }
    return costs;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Pushes that many times, to all groups by turns if they are fewer. */
async function pushRepeatedly(address: string, groups: number, pushes: number, signal: AbortSignal): Promise<void> {
  for (let left = pushes; left > 0; left -= groups) {
    await pushGroups(address, 0, Math.min(groups, left), signal);
  }
}
