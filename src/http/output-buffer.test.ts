import { describe, expect, test } from "bun:test";
import { OutputBuffer } from "./output-buffer.ts";

describe("OutputBuffer", () => {
  test("puts byte strings and pieces of buffers one behind the other, and starts anew", () => {
    const output = new OutputBuffer();
    output.addText("old");
    output.clear();
    output.addText("a\xff");
    output.addBytes(Buffer.from("-bc-"), 1, 3);
    output.addBytes(Buffer.from("d"));
    expect(output.length).toBe(5);
    expect(output.view().toString("latin1")).toBe("a\xffbcd");
  });

  test("keeps what it holds when it grows", () => {
    const output = new OutputBuffer();
    const piece = "0123456789".repeat(1000);
    for (let i = 0; i < 10; i++) output.addText(piece);
    output.addBytes(Buffer.alloc(1_000_000, 65));
    expect(output.view().toString("latin1")).toBe(piece.repeat(10) + "A".repeat(1_000_000));
  });

  test("does not hold on to the memory of one very long message", () => {
    const output = new OutputBuffer();
    output.addBytes(Buffer.alloc(10_000_000));
    output.clear();
    expect(output.bytes.length).toBeLessThan(3_000_000);
  });
});
