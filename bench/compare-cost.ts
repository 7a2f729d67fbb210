import type { BenchContext } from "./bench-context.ts";
import type { Samples } from "./bench-row.ts";
import { CpuClock } from "./process-cost.ts";
import type { MeasuredServer } from "./servers.ts";
import { runLoad } from "./wrk.ts";

export interface CostOptions {
  readonly connections: number;
  readonly rounds: number;
}

/** Until the code that the load runs through is compiled; a server without a JIT is merely not disadvantaged by it. */
const WARM_UP_SECONDS = 4;
const ROUND_SECONDS = 2;

/**
 * Puts servers under full load in turns, so that whatever else the machine does meets all of them alike, and returns their
 * costs in microseconds for each push, in the same order. Time on the clock is not looked at: it would measure wrk and the upstreams as well.
 */
export async function compareCosts(
  context: BenchContext,
  servers: readonly MeasuredServer[],
  { connections, rounds }: CostOptions,
): Promise<readonly Samples[]> {
  using clock = new CpuClock();
  const costUs = async (server: MeasuredServer) => {
    context.signal.throwIfAborted();
    const before = clock.usedUs(server.pid);
    const { requests } = await runLoad(server.address, { connections, seconds: ROUND_SECONDS });
    return (clock.usedUs(server.pid) - before) / requests;
  };
  for (const server of servers) await warmUp(context, server, connections);
  const costs: number[][] = servers.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, server] of servers.entries()) costs[index]?.push(await costUs(server));
  }
  return costs;
}

/** Has a server take pushes for so long that what follows finds it as it stays. */
export async function warmUp(context: BenchContext, server: MeasuredServer, connections: number): Promise<void> {
  context.signal.throwIfAborted();
  await runLoad(server.address, { connections, seconds: WARM_UP_SECONDS });
}
