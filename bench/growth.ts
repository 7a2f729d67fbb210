import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { type Cost, compareCosts, costRow } from "./compare-cost.ts";
import { startHaproxy, startRouter, startUpstreams } from "./servers.ts";

const MEMBER_COUNTS = [3, 30, 300];
const CONNECTION_COUNTS = [32, 256, 1000];
const ROUNDS = 3;

/** How the CPU time of a proxied push grows with the members and with the clients' connections, beside HAProxy's. */
export async function benchGrowth(context: BenchContext): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const members of MEMBER_COUNTS) rows.push(...(await benchProxying(context, members, [32])));
  rows.push(...(await benchProxying(context, 3, CONNECTION_COUNTS)));
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
    const [ours, theirs] = costs as [Cost, Cost];
    rows.push(costRow(name, ours, "HAProxy", theirs));
  }
  return rows;
}
