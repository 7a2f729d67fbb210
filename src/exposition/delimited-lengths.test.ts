import { describe, expect, test } from "bun:test";
import { DelimitedLengths } from "./delimited-lengths.ts";

/** What is found in a body that comes in two pieces, cut at this place. */
function judge(body: readonly number[], cut: number, isLengthKnown: boolean): string | undefined {
  const lengths = new DelimitedLengths(isLengthKnown ? body.length : undefined);
  const bytes = Uint8Array.from(body);
  lengths.take(bytes.subarray(0, cut));
  lengths.take(bytes.subarray(cut));
  return lengths.end();
}

const LONG = Array<number>(300).fill(1);

describe("DelimitedLengths", () => {
  test.each([
    ["nothing", []],
    ["messages that it holds", [1, 9, 0, 2, 9, 9]],
    ["a length of two bytes", [0xac, 0x02, ...LONG]],
    ["a length in more bytes than it needs", [0x81, 0x80, 0x00, 9]],
    ["a length that is cut off, which costs nothing", [1, 9, 0x80]],
  ])("lets a body with %s pass, wherever it is cut", (_, body) => {
    for (let cut = 0; cut <= body.length; cut++) {
      for (const isLengthKnown of [true, false]) expect(judge(body, cut, isLengthKnown)).toBeUndefined();
    }
  });

  test.each([
    ["34 GB", [0xff, 0xff, 0xff, 0xff, 0x7f, 1], "claims 34359738367 bytes"],
    ["a byte more than is left", [2, 9], "claims 2 bytes"],
    ["more than is left, behind messages", [1, 9, 0, 3, 9, 9], "claims 3 bytes"],
    ["more than is left, in two bytes", [0xad, 0x02, ...LONG], "claims 301 bytes"],
    ["16 EB", [...Array<number>(9).fill(0xff), 0x01], "claims 18446744073709552000 bytes"],
    ["what is no number of 64 bits", Array<number>(11).fill(0xff), "is no number of 64 bits"],
  ])("finds a length of %s, wherever the body is cut", (_, body, problem) => {
    for (let cut = 0; cut <= body.length; cut++) {
      for (const isLengthKnown of [true, false]) expect(judge(body, cut, isLengthKnown)).toContain(problem);
    }
  });

  test("finds it with the piece that ends the length, before anything follows", () => {
    expect(new DelimitedLengths(undefined).take(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0x7f]))).toContain(
      "34359738367",
    );
    expect(new DelimitedLengths(3).take(Uint8Array.from([3]))).toBe(
      "a message in the protobuf body claims 3 bytes, and 2 follow",
    );
  });

  test("takes a message of 256 MiB for possible while the length of the body is unknown, and no larger one", () => {
    const lengths = new DelimitedLengths(undefined);
    expect(lengths.take(Uint8Array.from([0x80, 0x80, 0x80, 0x80, 0x01]))).toBeUndefined();
    expect(lengths.end()).toContain("the body ends within it");
    expect(new DelimitedLengths(undefined).take(Uint8Array.from([0x81, 0x80, 0x80, 0x80, 0x01]))).toContain("at most");
  });
});
