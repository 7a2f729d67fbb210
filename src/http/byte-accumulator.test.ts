import { expect, test } from "bun:test";
import { ByteAccumulator } from "./byte-accumulator.ts";

test("ByteAccumulator keeps bytes in order, whatever the pieces, and copies them", () => {
  const accumulator = new ByteAccumulator();
  const piece = Buffer.alloc(7);
  let expected = "";
  for (let i = 0; i < 1_000; i++) {
    const length = i % 8;
    piece.fill(97 + (i % 26));
    expected += piece.toString("latin1", 0, length);
    accumulator.append(piece.subarray(0, length));
    expect(accumulator.length).toBe(expected.length);
  }
  expect(accumulator.bytes().toString("latin1")).toBe(expected);
});

test("ByteAccumulator holds no more than twice its bytes", () => {
  const accumulator = new ByteAccumulator();
  for (let i = 0; i < 100_000; i++) accumulator.append(Buffer.from("x"));
  expect(accumulator.bytes().buffer.byteLength).toBeLessThanOrEqual(200_000);
});
