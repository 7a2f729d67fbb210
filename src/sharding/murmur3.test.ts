import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { murmur3, murmur3OfBytes } from "./murmur3.ts";

const bytes = fc.uint8Array({ maxLength: 70 });

describe("murmur3()", () => {
  test.each([
    ["", 0],
    ["hello", 0x248bfa47],
    ["hello, world", 0x149bbb7f],
    ["19 Jan 2038 at 3:14:07 AM", 0xe31e8a70],
    ["The quick brown fox jumps over the lazy dog.", 0xd5c48bfc],
  ])("gives the published hash of %j", (text, hash) => {
    expect(murmur3(text)).toBe(hash);
  });

  test("equals the runtime's own MurmurHash3 on any bytes", () => {
    fc.assert(
      fc.property(bytes, (input) => {
        expect(murmur3(Buffer.from(input).toString("latin1"))).toBe(Bun.hash.murmur32v3(input, 0));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("murmur3OfBytes()", () => {
  test("hashes the first bytes of a buffer as murmur3() hashes the string", () => {
    fc.assert(
      fc.property(bytes, fc.nat(70), (input, cut) => {
        const length = Math.min(cut, input.length);
        const head = Buffer.from(input.subarray(0, length)).toString("latin1");
        expect(murmur3OfBytes(input, length)).toBe(murmur3(head));
      }),
    );
  });
});
