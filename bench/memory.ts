import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { warmUp } from "./compare-cost.ts";
import { type Memory, memoryOf } from "./process-cost.ts";
import { startHaproxy, startNginxProxy, startRouter, startUpstreams } from "./servers.ts";

const IDLE_SECONDS = 10;
const HIGHEST_IDLE_MIB = 45;

/** Memory of the router with three members, idle and after full load, beside nginx's and HAProxy's. */
export async function benchMemory(context: BenchContext): Promise<readonly BenchRow[]> {
  await using upstreams = await startUpstreams(3);
  await using router = await startRouter("proxy", upstreams.members);
  await using nginx = await startNginxProxy(upstreams.members);
  await using haproxy = await startHaproxy(upstreams.members);
  const servers = [router, nginx, haproxy];
  const memories = async () => (await Promise.all(servers.map(({ pid }) => memoryOf(pid)))) as [Memory, Memory, Memory];

  for (let second = 0; second < IDLE_SECONDS; second++) {
    context.signal.throwIfAborted();
    await Bun.sleep(1_000);
  }
  const idle = await memories();
  for (const server of servers) await warmUp(context, server, 32);
  const loaded = await memories();
  const target = { target: `<= ${HIGHEST_IDLE_MIB} MiB`, met: idle[0].resident <= HIGHEST_IDLE_MIB };
  const [besideNginx, besideHaproxy] = rows("memory: resident, idle", idle, ({ resident }) => resident);
  return [
    { ...besideNginx, ...target },
    besideHaproxy,
    ...rows("memory: own data, idle", idle, ({ own }) => own),
    ...rows("memory: resident, after full load", loaded, ({ resident }) => resident),
    ...rows("memory: own data, after full load", loaded, ({ own }) => own),
  ];
}

function rows(
  name: string,
  memories: readonly [Memory, Memory, Memory],
  part: (memory: Memory) => number,
): [BenchRow, BenchRow] {
  const [value, nginx, haproxy] = memories.map(part) as [number, number, number];
  const row = (peer: string, peerValue: number) => ({
    name,
    value,
    unit: "MiB",
    peer,
    peerValue,
    ratio: value / peerValue,
  });
  return [row("nginx", nginx), row("HAProxy", haproxy)];
}
