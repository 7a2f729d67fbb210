import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { warmUp } from "./compare-cost.ts";
import { residentMib } from "./process-cost.ts";
import { startHaproxy, startNginxProxy, startRouter, startUpstreams } from "./servers.ts";

const IDLE_SECONDS = 10;
const HIGHEST_IDLE_MIB = 45;

/** Resident memory of the router with three members, idle and after full load, beside nginx's and HAProxy's. */
export async function benchMemory(context: BenchContext): Promise<readonly BenchRow[]> {
  await using upstreams = await startUpstreams(3);
  await using router = await startRouter("proxy", upstreams.members);
  await using nginx = await startNginxProxy(upstreams.members);
  await using haproxy = await startHaproxy(upstreams.members);
  const servers = [router, nginx, haproxy];
  const measure = (name: string) =>
    memoryRows(
      name,
      servers.map(({ pid }) => pid),
    );

  context.progress(`idle for ${IDLE_SECONDS} s`);
  for (let second = 0; second < IDLE_SECONDS; second++) {
    context.signal.throwIfAborted();
    await Bun.sleep(1_000);
  }
  const idle = await measure("memory: resident, idle");
  for (const server of servers) await warmUp(context, server, 32);
  const loaded = await measure("memory: resident, after full load");
  return [
    ...idle.map((row) => ({ ...row, target: `<= ${HIGHEST_IDLE_MIB} MiB`, met: row.value <= HIGHEST_IDLE_MIB })),
    ...loaded,
  ];
}

async function memoryRows(name: string, pids: readonly number[]): Promise<readonly BenchRow[]> {
  const [ours = 0, ofNginx = 0, ofHaproxy = 0] = await Promise.all(pids.map(residentMib));
  const row = (peer: string, theirs: number) => {
    return { name, value: ours, unit: "MiB", peer, peerValue: theirs, ratio: ours / theirs };
  };
  return [row("nginx", ofNginx), row("HAProxy", ofHaproxy)];
}
