/**
 * Runs every gate and every test, as `npm test` and CI do. A gate counts as one test. The last line is `N passed, N failed`
 * (or `N passed, N failed, N skipped`), and the exit code is 1 when something failed or nothing ran.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { leash } from "./support/child-process.ts";
import { addTallies, EMPTY_TALLY, type Tally, tallyOf } from "./support/junit.ts";
import { REPOSITORY } from "./support/parts.ts";
import { temporaryFolder } from "./support/server-process.ts";

const { CI } = process.env;
const BIN = join(REPOSITORY, "node_modules/.bin");
const MINUTE_MS = 60_000;
/** For a single test that sets no time limit of its own. */
const TEST_TIMEOUT_MS = 30_000;
const TEST_STAGE_DEADLINE_MS = 8 * MINUTE_MS;
/** Folders whose tests take longer than others. */
const STAGE_DEADLINES_MS: Readonly<Record<string, number>> = {
  "test/faults": 15 * MINUTE_MS,
  "test/scenarios": 15 * MINUTE_MS,
};

interface Stage {
  readonly title: string;
  readonly argv: readonly string[];
  readonly deadlineMs: number;
  /** Where the stage writes its junit report; a stage without one is a gate and counts by its exit code. */
  readonly report?: string;
  /** What a failure means where it is not one. */
  readonly onFailure?: "skip";
}

async function main(): Promise<number> {
  const reports = await temporaryFolder("reports");
  let total = EMPTY_TALLY;
  for (const stage of [...gates(), ...(await testStages(reports))]) total = addTallies(total, await run(stage));
  await rm(reports, { recursive: true });
  return summarize(total);
}

function gates(): readonly Stage[] {
  const fetchParts = [process.execPath, join(import.meta.dir, "support/fetch-parts.ts")];
  return [
    // Outside CI a missing part only skips the tests that need it.
    { title: "Real parts", argv: fetchParts, deadlineMs: 10 * MINUTE_MS, ...(CI !== "true" && { onFailure: "skip" }) },
    { title: "Types", argv: [join(BIN, "tsc"), "--noEmit"], deadlineMs: 2 * MINUTE_MS },
    { title: "Lint", argv: [join(BIN, "biome"), "check", "--error-on-warnings"], deadlineMs: 2 * MINUTE_MS },
    { title: "Dead code", argv: [join(BIN, "knip")], deadlineMs: 2 * MINUTE_MS },
  ];
}

/** One stage for src/, then one for each folder of test/ that holds tests. */
async function testStages(reports: string): Promise<readonly Stage[]> {
  const entries = await readdir(join(REPOSITORY, "test"), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => `test/${entry.name}`);
  const stages: Stage[] = [];
  for (const folder of ["src", ...folders.sort()]) {
    const files = await Array.fromAsync(new Bun.Glob("**/*.test.ts").scan(join(REPOSITORY, folder)));
    if (files.length > 0) stages.push(testStage(folder, reports));
  }
  return stages;
}

function testStage(folder: string, reports: string): Stage {
  const report = join(reports, `${folder.replaceAll("/", "-")}.xml`);
  const options = [`--timeout=${TEST_TIMEOUT_MS}`, "--reporter=junit", `--reporter-outfile=${report}`];
  return {
    title: `Tests in ${folder}`,
    argv: [process.execPath, "test", ...options, `./${folder}`],
    deadlineMs: STAGE_DEADLINES_MS[folder] ?? TEST_STAGE_DEADLINE_MS,
    report,
  };
}

async function run(stage: Stage): Promise<Tally> {
  console.log(`\n== ${stage.title}`);
  const started = performance.now();
  const child = Bun.spawn([...leash(), ...stage.argv], {
    cwd: REPOSITORY,
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
    timeout: stage.deadlineMs,
    killSignal: "SIGKILL",
  });
  await child.exited;
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  const how = child.signalCode === null ? `exit code ${child.exitCode}` : `ended by ${child.signalCode}`;
  console.log(`-- ${stage.title}: ${how} after ${seconds} s`);
  return await tallyStage(stage, child.exitCode === 0, how);
}

async function tallyStage(stage: Stage, succeeded: boolean, how: string): Promise<Tally> {
  if (stage.report === undefined) {
    if (succeeded) return { ...EMPTY_TALLY, passed: 1 };
    if (stage.onFailure === "skip") return { ...EMPTY_TALLY, skipped: 1 };
    return { ...EMPTY_TALLY, failed: 1, failures: [`${stage.title}: ${how}`] };
  }
  const report = Bun.file(stage.report);
  const tally = (await report.exists()) ? tallyOf(await report.text()) : EMPTY_TALLY;
  if (succeeded || tally.failed > 0) return tally;
  // A file that threw outside a test, or a run that was cut short, shows in the exit code only.
  return addTallies(tally, { ...EMPTY_TALLY, failed: 1, failures: [`${stage.title}: ${how}`] });
}

function summarize(total: Tally): number {
  console.log("\n== Summary");
  for (const failure of total.failures) console.log(`FAILED ${failure}`);
  const skipped = total.skipped === 0 ? "" : `, ${total.skipped} skipped`;
  console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
  return total.failed > 0 || total.passed === 0 ? 1 : 0;
}

process.exitCode = await main();
