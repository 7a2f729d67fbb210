import type { BenchContext } from "./bench-context.ts";
import { type BenchRow, comparisonRow, type Samples, withTargetRatio } from "./bench-row.ts";
import { compareCosts } from "./compare-cost.ts";
import { startNginxRedirect, startRouter, startUpstreams } from "./servers.ts";

/** CPU time of a redirected push, beside nginx's. */
export async function benchRedirect(context: BenchContext): Promise<readonly BenchRow[]> {
  await using upstreams = await startUpstreams(3);
  await using router = await startRouter("redirect", upstreams.members);
  await using nginx = await startNginxRedirect(upstreams.members);
  const costs = await compareCosts(context, [router, nginx], { connections: 32, rounds: 5 });
  const [ours, theirs] = costs as [Samples, Samples];
  return [withTargetRatio(comparisonRow("redirect: CPU per push", "µs", ours, "nginx", theirs), 1.15)];
}
