/**
 * `npm run bench [-- --only=redirect,proxy] [-- --json]`: measures the router beside its peers and prints a table, or JSON.
 * Every figure of a peer comes from the same run, because figures of different machines, or hours, do not compare. Exit code 1
 * when something could not be measured; a missed target is a result, not a failure.
 */
import { parseArgs } from "node:util";
import { benchAlternatives } from "./alternatives.ts";
import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import { benchEmbeddedContents } from "./embedded/contents.ts";
import { benchEmbeddedDurability } from "./embedded/durability.ts";
import { benchEmbeddedPushes } from "./embedded/pushes.ts";
import { benchGrowth } from "./growth.ts";
import { type Busyness, describeMachine, type Machine, measureBusyness } from "./machine.ts";
import { benchMemory } from "./memory.ts";
import { benchPlacement } from "./placement.ts";
import { benchPlacementReturn } from "./placement-return.ts";
import { benchProxy } from "./proxy.ts";
import { benchRedirect } from "./redirect.ts";
import { renderTable } from "./report.ts";
import { benchRing } from "./ring.ts";

const BENCHMARKS: Readonly<Record<string, (context: BenchContext) => Promise<readonly BenchRow[]>>> = {
  ring: benchRing,
  memory: benchMemory,
  redirect: benchRedirect,
  proxy: benchProxy,
  alternatives: benchAlternatives,
  growth: benchGrowth,
  placement: benchPlacement,
  "placement-return": benchPlacementReturn,
  "embedded-pushes": benchEmbeddedPushes,
  "embedded-contents": benchEmbeddedContents,
  "embedded-durability": benchEmbeddedDurability,
};

/** A machine that is busier than this before a benchmark begins makes its figures doubtful. */
const QUIET_SHARE = 0.1;

const EXIT_FAILURE = 1;

interface Results {
  readonly rows: readonly BenchRow[];
  /** By benchmark: why there are no rows of it. */
  readonly failures: Readonly<Record<string, string>>;
  /** By benchmark: how busy the machine was before it. */
  readonly busyness: Readonly<Record<string, Busyness>>;
}

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));
  }
  const progress = (text: string) => console.error(`bench: ${text}`);
  const machine = describeMachine();
  const results = await runAll(options.names, { signal: interrupted.signal, progress });
  console.log(options.json ? JSON.stringify({ machine, ...results }, null, 2) : renderReport(machine, results));
  return Object.keys(results.failures).length === 0 ? 0 : EXIT_FAILURE;
}

function readOptions(args: readonly string[]): { readonly names: readonly string[]; readonly json: boolean } {
  const { values } = parseArgs({ args: [...args], options: { only: { type: "string" }, json: { type: "boolean" } } });
  return { names: chosenBenchmarks(values.only), json: values.json ?? false };
}

function chosenBenchmarks(only: string | undefined): readonly string[] {
  const known = Object.keys(BENCHMARKS);
  const names = only?.split(",") ?? known;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`Cannot run benchmark "${unknown}": choose from ${known.join(", ")}`);
  return names;
}

async function runAll(names: readonly string[], context: BenchContext): Promise<Results> {
  const rows: BenchRow[] = [];
  const failures: Record<string, string> = {};
  const busyness: Record<string, Busyness> = {};
  for (const name of names) {
    try {
      context.signal.throwIfAborted();
      busyness[name] = await measureBusyness();
      context.progress(name);
      rows.push(...((await BENCHMARKS[name]?.(context)) ?? []));
    } catch (error) {
      failures[name] = describe(error);
    }
  }
  return { rows, failures, busyness };
}

function renderReport(machine: Machine, { rows, failures, busyness }: Results): string {
  const { processor, cores, bun, date } = machine;
  const levels = Object.values(busyness);
  const share = Math.max(...levels.map((level) => level.share));
  const load = Math.max(...levels.map((level) => level.load));
  const count = (met: boolean) => rows.filter((row) => row.met === met).length;
  const state = `${percent(share)} busy with other things at most, load average up to ${load.toFixed(2)}`;
  return [
    renderTable(rows),
    "",
    `${processor}, ${cores} cores; Bun ${bun}; ${date}; ${state}.`,
    ...(share > QUIET_SHARE
      ? ["WARNING: the machine is busy: costs are too high, and noisy. Ratios suffer less."]
      : []),
    ...Object.entries(failures).map(([name, reason]) => `NOT MEASURED: ${name}: ${reason}`),
    `Targets: ${count(true)} met, ${count(false)} missed.`,
  ].join("\n");
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(describe(error));
  process.exitCode = EXIT_FAILURE;
}
