import type { BenchContext } from "./bench-context.ts";
import { type BenchRow, comparisonRow } from "./bench-row.ts";
import { compareCosts } from "./compare-cost.ts";
import { type MeasuredServer, startAlternative, startRouter, startUpstreams } from "./servers.ts";

const ALTERNATIVES = [
  { name: "Bun.serve + fetch", module: "bun-serve-fetch.ts" },
  { name: "Bun.serve + node:http Agent", module: "bun-serve-agent.ts" },
  { name: "node:http + Agent", module: "node-http-agent.ts" },
];

/** CPU time of a proxied push beside that of the smallest proxies that Bun's own servers and clients make. */
export async function benchAlternatives(context: BenchContext): Promise<readonly BenchRow[]> {
  await using running = new AsyncDisposableStack();
  const { members } = running.use(await startUpstreams(3));
  const servers: MeasuredServer[] = [running.use(await startRouter("proxy", members))];
  for (const { module } of ALTERNATIVES) servers.push(running.use(await startAlternative(module, members)));
  const [ours, ...theirs] = await compareCosts(context, servers, { connections: 32, rounds: 3 });
  return ALTERNATIVES.flatMap(({ name }, index) => {
    const cost = theirs[index];
    return ours === undefined || cost === undefined
      ? []
      : [comparisonRow("proxy: CPU per push", "µs", ours, name, cost)];
  });
}
