import { appendFile } from "node:fs/promises";
import { FAULTS } from "./judge.ts";
import { blamedSetbacks, type Scene, type Verdict } from "./oracle.ts";
import type { StoredSeries } from "./saw-tooth.ts";

const { SCENARIO_FIGURES } = process.env;

/** What one run of a scenario showed: a line of the file that SCENARIO_FIGURES names. */
export interface RunFigures {
  readonly title: string;
  readonly passed: boolean;
  readonly figures: Readonly<Record<string, number>>;
  /** How often clients were told of each failure. */
  readonly failures: Readonly<Record<string, number>>;
}

/** What a scrape job stored. */
export type ScrapedSeries = StoredSeries & { readonly by: string };

/** Sums over both routers. */
const SHOWN_METRICS = /^dynamic_sharding_(?!.*bucket).*(placement|cop(y|ies)|tombstone|doubt|failovers)/;

/** Counts what was pushed, where it went, and what each scrape job saw of it. */
export async function collectFigures(
  scene: Scene,
  verdict: Verdict,
  scraped: readonly ScrapedSeries[],
): Promise<Readonly<Record<string, number>>> {
  const { sampler, startedAt, realClients } = scene;
  const metrics = await scene.cluster.metrics();
  return {
    seconds: Math.round((performance.now() - startedAt) / 1_000),
    ...requestFigures(scene),
    "runs of real clients": realClients.runs,
    ...Object.fromEntries(FAULTS.map((fault) => [fault, verdict.counts[fault]])),
    "lost by killed Pushgateways": verdict.ownLosses,
    "seconds until settled": Math.round(verdict.settledAfterMs / 100) / 10,
    "setbacks on the way": blamedSetbacks(scene).length,
    "families back for a while": sampler.setbacks.filter(({ fault }) => fault === "returned").length,
    "moves seen": sampler.moves,
    "deletions of copies": sumOf(metrics, "dynamic_sharding_copies_removed_total"),
    "groups doubled in sight": sampler.doubledOnce,
    "longest double, at most (ms)": Math.round(sampler.longest.milliseconds),
    looks: sampler.looks,
    ...Object.fromEntries(scraped.flatMap((job) => scrapeFigures(scene, job))),
    ...Object.fromEntries([...metrics].filter(([name, value]) => SHOWN_METRICS.test(name) && value !== 0)),
  };
}

/** How often clients were told of each failure. */
export function countFailures({ load }: Scene): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { failure } of load.groups.flatMap(({ attempts }) => attempts)) {
    if (failure === undefined) continue;
    const text = failure.replace(/\d+\.\d+\.\d+\.\d+:\d+/g, "…");
    counts[text] = (counts[text] ?? 0) + 1;
  }
  return counts;
}

/** One line for whoever reads along, and one for the file that SCENARIO_FIGURES names. */
export async function tellFigures(run: RunFigures): Promise<void> {
  const figures = Object.entries(run.figures).map(([name, value]) => `${name} ${value}`);
  const failures = Object.entries(run.failures).map(([text, count]) => `${count} × ${text}`);
  process.stderr.write(`FIGURES ${run.title}: ${[...figures, ...failures].join(", ")}\n`);
  if (SCENARIO_FIGURES !== undefined) await appendFile(SCENARIO_FIGURES, `${JSON.stringify(run)}\n`);
}

function requestFigures({ load }: Scene): Readonly<Record<string, number>> {
  const attempts = load.groups.flatMap((group) => group.attempts);
  const postOnly = load.groups.filter(({ style }) => style === "post");
  return {
    pushes: attempts.filter(({ method }) => method !== "DELETE").length,
    "pushes to groups with POST only": postOnly.flatMap((group) => group.attempts).filter((a) => a.method === "POST")
      .length,
    deletes: attempts.filter(({ method }) => method === "DELETE").length,
    "not acknowledged": attempts.filter(({ failure }) => failure !== undefined).length,
  };
}

/** Steps back are told apart by how the group is pushed. */
function scrapeFigures({ load }: Scene, { by, samples, backward }: ScrapedSeries): readonly [string, number][] {
  const styles = new Map(load.groups.map(({ key, style }) => [key, style]));
  const byStyle = Object.entries(Object.groupBy(backward, ({ key }) => styles.get(key) ?? "none"));
  return [
    [`${by} samples`, samples],
    [`${by} backward`, backward.length],
    ...byStyle.map(([style, found]): [string, number] => [`${by} backward (${style})`, found?.length ?? 0]),
  ];
}

function sumOf(metrics: ReadonlyMap<string, number>, name: string): number {
  let sum = 0;
  for (const [key, value] of metrics) if (key === name || key.startsWith(`${name}{`)) sum += value;
  return sum;
}
