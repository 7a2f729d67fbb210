import { expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { REPOSITORY } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { SHAPES } from "./work-shapes.ts";

const TIMEOUT_MS = 60_000;
const SIZE = 250;
const FACTOR = 8;
/** Sorting takes a little more than linear work; what is quadratic would take 64 times as much. */
const HIGHEST_GROWTH = 1.5 * FACTOR;

/** How often lines of src/ were run, all together. What a regular expression or another built-in function does, counts as one. */
async function work(shape: string, size: number): Promise<number> {
  const folder = await temporaryFolder("work");
  const coverage = ["--coverage", "--coverage-reporter=lcov", `--coverage-dir=${folder}`];
  await runCommand([process.execPath, "test", `--timeout=${TIMEOUT_MS}`, ...coverage, "./test/embedded/work-run.ts"], {
    cwd: REPOSITORY,
    env: { WORK_SHAPE: shape, WORK_SIZE: String(size) },
  });
  const report = await Bun.file(join(folder, "lcov.info")).text();
  await rm(folder, { recursive: true });
  const ofSource = report.split("end_of_record").filter((record) => /^SF:src\//m.test(record));
  const counts = ofSource.flatMap((record) =>
    [...record.matchAll(/^DA:\d+,(\d+)$/gm)].map(([, count]) => Number(count)),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

for (const shape of Object.keys(SHAPES)) {
  test.concurrent(
    `The work on ${shape} grows with its size, and not faster`,
    async () => {
      const [small, large] = [await work(shape, SIZE), await work(shape, FACTOR * SIZE)];
      expect(small).toBeGreaterThan(0);
      expect(large / small).toBeLessThan(HIGHEST_GROWTH);
    },
    TIMEOUT_MS,
  );
}
