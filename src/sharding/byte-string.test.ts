import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { codePointOf, decodeUtf8, encodeCodePoint, isValidUtf8, percentDecode } from "./byte-string.ts";

const byteString = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
// Bytes near the borders of well-formed UTF-8, so that sequences are often almost right.
const borderByte = fc.constantFrom(
  ...[0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef],
  ...[0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff],
);
const borderString = fc.array(borderByte, { maxLength: 5 }).map((bytes) => String.fromCharCode(...bytes));

function isDecodable(bytes: string): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(bytes, "latin1"));
    return true;
  } catch {
    return false;
  }
}

describe("isValidUtf8()", () => {
  test("agrees with a strict decoder on any bytes", () => {
    fc.assert(
      fc.property(fc.oneof(byteString, borderString), (bytes) => {
        expect(isValidUtf8(bytes)).toBe(isDecodable(bytes));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("encodeCodePoint() and codePointOf()", () => {
  test.each([0, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff])(
    "round-trip %p in UTF-8",
    (point) => {
      const bytes = encodeCodePoint(point);
      expect(decodeUtf8(bytes)).toBe(String.fromCodePoint(point));
      expect(codePointOf(bytes)).toBe(point);
    },
  );
});

describe("decodeUtf8()", () => {
  test("keeps a byte order mark and marks what is not UTF-8", () => {
    expect(decodeUtf8("\xef\xbb\xbfa\xff")).toBe("\ufeffa\ufffd");
  });
});

describe("percentDecode()", () => {
  test("undoes any mix of encoded and raw bytes", () => {
    fc.assert(
      fc.property(byteString, fc.infiniteStream(fc.nat(2)), (bytes, coins) => {
        const target = bytes.replaceAll(/./gs, (byte) => {
          const hex = byte.charCodeAt(0).toString(16).padStart(2, "0");
          const isRaw = /[!-$&-~\x80-\xff]/.test(byte) && coins.next().value === 0;
          return isRaw ? byte : `%${coins.next().value === 1 ? hex.toUpperCase() : hex}`;
        });
        expect(percentDecode(target)).toBe(bytes);
      }),
    );
  });

  test.each(["%", "a%4", "%zz", "%%41", "a b", "\t", "\x7f", "\0"])("refuses %j", (target) => {
    expect(percentDecode(target)).toBeUndefined();
  });
});
