import { expect, test } from "bun:test";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";

const LENGTH = 1_000_000;
const PROGRAM = `
process.stderr.write("x".repeat(${LENGTH}), () => console.log("the text was taken"));
process.stderr.write("", () => console.log("the empty text was taken"));
`;

// Why src/output.ts counts what it has written: the callback of an empty write, the usual way to wait for a stream, says nothing.
test("process.stderr calls back for a text once it is read, but for an empty one at once", async () => {
  const folder = await temporaryFolder("stream");
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  // A pipe that nobody reads until told to; Bun would read one of its own making at once.
  const fifo = join(folder, "stderr");
  await runCommand(["mkfifo", fifo]);
  const keptOpen = await open(fifo, "r+");
  cleanup.defer(() => keptOpen.close());

  const child = Bun.spawn([process.execPath, "-e", PROGRAM], {
    stdout: "pipe",
    stderr: keptOpen.fd,
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  const lines = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("the empty text was taken\n");
  expect((await runCommand(["head", "-c", String(LENGTH), fifo])).length).toBe(LENGTH);
  expect((await lines.next()).value).toBe("the text was taken\n");
  expect(await child.exited).toBe(0);
});
