import { expect, test } from "bun:test";

const PROGRAM = `
process.stderr.write("x".repeat(1_000_000), () => console.log("the text was taken"));
process.stderr.write("", () => console.log("the empty text was taken"));
`;

// Why src/output.ts counts what it has written: the callback of an empty write, the usual way to wait for a stream, says nothing.
test("process.stderr calls back for a text once it is read, but for an empty one at once", async () => {
  const child = Bun.spawn([process.execPath, "-e", PROGRAM], {
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  const lines = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe("the empty text was taken\n");
  expect((await child.stderr.text()).length).toBe(1_000_000);
  expect((await lines.next()).value).toBe("the text was taken\n");
  expect(await child.exited).toBe(0);
});
