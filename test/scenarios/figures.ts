/**
 * Prints what the runs in a file that SCENARIO_FIGURES named have shown, as Markdown:
 * `SCENARIO_FIGURES=runs.jsonl SCENARIO_RUNS=10 npm run test:scenarios; npx bun test/scenarios/figures.ts runs.jsonl`
 */
import type { RunFigures } from "./run-figures.ts";

/** Headings of the table over all scenarios, and the figures below them. */
const OVERVIEW: Readonly<Record<string, string>> = {
  pushes: "pushes",
  "moved groups": "moves seen",
  "deletions sent": "deletions of copies",
  "longest double, at most, ms": "longest double, at most (ms)",
  "http_sd backward": "http_sd backward",
  "/federate backward": "federate backward",
};

function tables(runs: readonly RunFigures[]): string {
  const byTitle = Object.entries(Object.groupBy(runs, ({ title }) => title));
  const scenarios = byTitle.map(([title, found = []]) => ({ title, runs: found }));
  const overview = scenarios.map((scenario) => [
    scenario.title,
    passed(scenario.runs),
    ...Object.values(OVERVIEW).map((name) => cell(spread(scenario.runs, name))),
  ]);
  const details = scenarios.map(
    ({ title, runs: found }) => `\n## ${title}: ${passed(found)} passed\n\n${detail(found)}`,
  );
  const heading = "Minimum, median and maximum of all runs, where they differ:\n\n";
  return `${heading}${markdown(["scenario", "passed", ...Object.keys(OVERVIEW)], overview)}${details.join("")}`;
}

/** Every figure that is not 0 throughout, and what clients were told. */
function detail(runs: readonly RunFigures[]): string {
  const names = [...new Set(runs.flatMap(({ figures }) => Object.keys(figures)))];
  const rows = names.map((name) => [name, ...spread(runs, name)]).filter(([, , , max]) => max !== 0);
  const failures = runs.flatMap((run) => Object.entries(run.failures).map(([text, count]) => `- ${count} × ${text}\n`));
  return markdown(["figure", "min", "median", "max"], rows) + (failures.length === 0 ? "" : `\n${failures.join("")}`);
}

function cell(numbers: readonly number[]): string {
  return new Set(numbers).size === 1 ? String(numbers[0]) : numbers.join(" / ");
}

function passed(runs: readonly RunFigures[]): string {
  return `${runs.filter((run) => run.passed).length} of ${runs.length}`;
}

function spread(runs: readonly RunFigures[], name: string): readonly number[] {
  const sorted = runs.map(({ figures }) => figures[name] ?? 0).sort((left, right) => left - right);
  return [0, Math.floor((sorted.length - 1) / 2), sorted.length - 1].map((index) => sorted[index] ?? 0);
}

function markdown(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |\n`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("");
}

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("Cannot print figures: name the file that SCENARIO_FIGURES named");
const lines = (await Bun.file(file).text()).split("\n").filter((line) => line !== "");
process.stdout.write(tables(lines.map((line) => JSON.parse(line) as RunFigures)));
