import type { BenchContext } from "./bench-context.ts";
import { type BenchRow, comparisonRow, type Samples, withTargetRatio } from "./bench-row.ts";
import { compareCosts } from "./compare-cost.ts";
import { type MeasuredServer, startHaproxy, startNginxProxy, startRouter, startUpstreams } from "./servers.ts";
import { type LoadResult, runLoad } from "./wrk.ts";

const CONNECTIONS = 32;
/** Pushes a second at which latencies are compared: busy, but far from full load. */
const MODERATE_RATE = 2_000;
const LATENCY_ROUNDS = 3;
const LATENCY_ROUND_SECONDS = 2;

/** CPU time of a proxied push and latency under moderate load, beside nginx's and HAProxy's. */
export async function benchProxy(context: BenchContext): Promise<readonly BenchRow[]> {
  await using upstreams = await startUpstreams(3);
  await using router = await startRouter("proxy", upstreams.members);
  await using nginx = await startNginxProxy(upstreams.members);
  await using haproxy = await startHaproxy(upstreams.members);
  const costs = await compareCosts(context, [router, nginx, haproxy], { connections: CONNECTIONS, rounds: 5 });
  const [ours, ofNginx, ofHaproxy] = costs as [Samples, Samples, Samples];
  return [
    withTargetRatio(comparisonRow("proxy: CPU per push", "µs", ours, "HAProxy", ofHaproxy), 1.5),
    comparisonRow("proxy: CPU per push", "µs", ours, "nginx", ofNginx),
    ...(await compareLatencies(context, router, haproxy)),
  ];
}

async function compareLatencies(
  context: BenchContext,
  router: MeasuredServer,
  haproxy: MeasuredServer,
): Promise<readonly BenchRow[]> {
  const load = { connections: CONNECTIONS, seconds: LATENCY_ROUND_SECONDS, rate: MODERATE_RATE };
  const ours: LoadResult[] = [];
  const theirs: LoadResult[] = [];
  for (let round = 0; round < LATENCY_ROUNDS; round++) {
    context.signal.throwIfAborted();
    ours.push(await runLoad(router.address, load));
    theirs.push(await runLoad(haproxy.address, load));
  }
  const row = (quantile: string, of: (result: LoadResult) => number) =>
    comparisonRow(
      `proxy: ${quantile} latency at ${MODERATE_RATE} pushes/s`,
      "µs",
      ours.map(of),
      "HAProxy",
      theirs.map(of),
    );
  return [row("median", ({ p50Us }) => p50Us), row("99 %", ({ p99Us }) => p99Us)];
}
