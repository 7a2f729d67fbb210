import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { type Cost, compareCosts, costRow } from "./compare-cost.ts";
import { type MeasuredServer, startHaproxy, startNginxProxy, startRouter, startUpstreams } from "./servers.ts";
import { type LoadResult, runLoad } from "./wrk.ts";

const CONNECTIONS = 32;
/** Pushes a second at which latencies are compared: busy, but far from full load. */
const MODERATE_RATE = 2_000;
const LATENCY_SECONDS = 4;

/** CPU time of a proxied push and latency under moderate load, beside nginx's and HAProxy's. */
export async function benchProxy(context: BenchContext): Promise<readonly BenchRow[]> {
  await using upstreams = await startUpstreams(3);
  await using router = await startRouter("proxy", upstreams.members);
  await using nginx = await startNginxProxy(upstreams.members);
  await using haproxy = await startHaproxy(upstreams.members);
  const costs = await compareCosts(context, [router, nginx, haproxy], { connections: CONNECTIONS, rounds: 5 });
  const [ours, nginxCost, haproxyCost] = costs as [Cost, Cost, Cost];
  const rows = [
    costRow("proxy: CPU per push", ours, "HAProxy", haproxyCost, 1.5),
    costRow("proxy: CPU per push", ours, "nginx", nginxCost),
  ];
  return [...rows, ...(await compareLatencies(context, router, haproxy))];
}

async function compareLatencies(
  context: BenchContext,
  router: MeasuredServer,
  haproxy: MeasuredServer,
): Promise<readonly BenchRow[]> {
  const latency = (server: MeasuredServer) => {
    context.signal.throwIfAborted();
    return runLoad(server.address, { connections: CONNECTIONS, seconds: LATENCY_SECONDS, rate: MODERATE_RATE });
  };
  const ours = await latency(router);
  const theirs = await latency(haproxy);
  const row = (quantile: string, ofResult: (result: LoadResult) => number): BenchRow => ({
    name: `proxy: ${quantile} latency at ${MODERATE_RATE} pushes/s`,
    value: ofResult(ours),
    unit: "µs",
    peer: "HAProxy",
    peerValue: ofResult(theirs),
    ratio: ofResult(ours) / ofResult(theirs),
  });
  return [row("median", ({ p50Us }) => p50Us), row("99 %", ({ p99Us }) => p99Us)];
}
