import type { BenchContext } from "./bench-context.ts";
import { type BenchRow, comparisonRow, type Samples } from "./bench-row.ts";
import { compareCosts } from "./compare-cost.ts";
import { startHaproxy, startRouter, startUpstreams } from "./servers.ts";

/** Members of the ring, with the numbers of client connections to measure over them. */
const SIZES: readonly (readonly [memberCount: number, connectionCounts: readonly number[]])[] = [
  [3, [32, 256, 1000]],
  [30, [32]],
  [300, [32]],
];
const ROUNDS = 3;

/** How the CPU time of a proxied push grows with the members and with the clients' connections, beside HAProxy's. */
export async function benchGrowth(context: BenchContext): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const [memberCount, connectionCounts] of SIZES) {
    rows.push(...(await benchProxying(context, memberCount, connectionCounts)));
  }
  return rows;
}

async function benchProxying(
  context: BenchContext,
  memberCount: number,
  connectionCounts: readonly number[],
): Promise<readonly BenchRow[]> {
  await using upstreams = await startUpstreams(memberCount);
  await using router = await startRouter("proxy", upstreams.members);
  await using haproxy = await startHaproxy(upstreams.members);
  const rows: BenchRow[] = [];
  for (const connections of connectionCounts) {
    const name = `growth: CPU per push, ${memberCount} members, ${connections} connections`;
    context.progress(name);
    const costs = await compareCosts(context, [router, haproxy], { connections, rounds: ROUNDS });
    const [ours, theirs] = costs as [Samples, Samples];
    rows.push(comparisonRow(name, "µs", ours, "HAProxy", theirs));
  }
  return rows;
}
