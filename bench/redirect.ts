import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { type Cost, compareCosts, costRow } from "./compare-cost.ts";
import { startNginxRedirect, startRouter, startUpstreams } from "./servers.ts";

/** CPU time of a redirected push, beside nginx's. */
export async function benchRedirect(context: BenchContext): Promise<readonly BenchRow[]> {
  await using upstreams = await startUpstreams(3);
  await using router = await startRouter("redirect", upstreams.members);
  await using nginx = await startNginxRedirect(upstreams.members);
  const costs = await compareCosts(context, [router, nginx], { connections: 32, rounds: 5 });
  const [ours, theirs] = costs as [Cost, Cost];
  return [costRow("redirect: CPU per push", ours, "nginx", theirs, 1.15)];
}
