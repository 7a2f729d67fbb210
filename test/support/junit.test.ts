import { afterAll, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Tally, tallyOf } from "./junit.ts";
import { tryCommand } from "./run-command.ts";
import { temporaryFolder } from "./server-process.ts";

const folder = await temporaryFolder("junit");
afterAll(() => rm(folder, { recursive: true }));

async function reportOf(program: string): Promise<{ exitCode: number; tally: Tally }> {
  await Bun.write(join(folder, "case.test.ts"), `import { describe, test } from "bun:test";\n${program}`);
  const report = join(folder, "report.xml");
  const { exitCode } = await tryCommand(
    [process.execPath, "test", "case.test.ts", "--reporter=junit", `--reporter-outfile=${report}`],
    { cwd: folder },
  );
  return { exitCode, tally: tallyOf(await Bun.file(report).text()) };
}

test("counts what Bun reports as passed, failed, skipped and todo", async () => {
  const { exitCode, tally } = await reportOf(`
    describe("outer & <more>", () => {
      describe('the "inner"', () => {
        test("passes", () => {});
        test("fails > badly", () => { throw new Error("</testcase>"); });
        test.skip("is skipped", () => {});
        test.todo("is to do");
      });
    });
    test("fails at the top", () => { throw new Error("no"); });
    test.each([1, 2, 3])("passes %d", () => {});
  `);
  expect(exitCode).toBe(1);
  expect(tally).toEqual({
    passed: 4,
    failed: 2,
    skipped: 2,
    failures: ['case.test.ts: outer & <more> > the "inner" > fails > badly', "case.test.ts: fails at the top"],
  });
});

test("a file that throws before its tests exits with an error, although its report may count no failure", async () => {
  const { exitCode } = await reportOf(`throw new Error("broken file");`);
  expect(exitCode).not.toBe(0);
});
