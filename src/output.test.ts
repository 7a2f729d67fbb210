import { describe, expect, test } from "bun:test";
import { Output, type OutputStream } from "./output.ts";

/** A stream whose reader takes one text when it is told to. */
function pausedStream() {
  const unread: { text: string; written: () => void }[] = [];
  const read: string[] = [];
  const stream: OutputStream = {
    write: (text, written) => unread.push({ text, written }),
    on: () => undefined,
  };
  const readOne = () => {
    const next = unread.shift();
    if (next === undefined) return;
    read.push(next.text);
    next.written();
  };
  return { stream, read, readOne };
}

describe("Output", () => {
  test("drops texts that nobody reads, and says how many once the reader is back", () => {
    const { stream, read, readOne } = pausedStream();
    const output = new Output(stream, 10);
    output.onDropped((texts) => output.write(`[${texts} dropped]`));
    for (const text of ["first.", "second", "third.", "fourth"]) output.write(text);
    readOne();
    output.write("fifth.");
    for (let i = 0; i < 10; i++) readOne();
    expect(read).toEqual(["first.", "second", "[2 dropped]", "fifth."]);
  });

  test("flush() waits for the reader", async () => {
    const { stream, read, readOne } = pausedStream();
    const output = new Output(stream);
    output.write("one");
    output.write("two");
    let isFlushed = false;
    const flushed = output.flush(60_000).then(() => {
      isFlushed = true;
    });
    readOne();
    await Bun.sleep(0);
    expect(isFlushed).toBe(false);
    readOne();
    await flushed;
    expect(read).toEqual(["one", "two"]);
  });

  test("flush() gives a reader that has gone no more than its time", async () => {
    const { stream, read } = pausedStream();
    const output = new Output(stream);
    output.write("one");
    await output.flush(1);
    expect(read).toEqual([]);
  });

  test("flush() returns at once when nothing is pending", async () => {
    const { stream, readOne } = pausedStream();
    const output = new Output(stream);
    output.write("one");
    readOne();
    await output.flush(60_000);
  });
});
