import { describe, expect, test } from "bun:test";
import { LiteralError, readStringLiteral } from "./string-literal.ts";

describe("readStringLiteral()", () => {
  test.each([
    ['""', ""],
    ['"a\'`b"', "a'`b"],
    ["'a\"b'", 'a"b'],
    ["`a\\n\n\"'`", "a\\n\n\"'"],
    ['"\\a\\b\\f\\n\\r\\t\\v\\\\\\""', '\x07\b\f\n\r\t\v\\"'],
    ["'\\''", "'"],
    ['"\\xff\\377\\x41"', "\xff\xffA"],
    ['"é\\u00e9\\U0001F600"', "\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80"],
    ["`é`", "\xc3\xa9"],
  ])("reads %s as bytes", (literal, bytes) => {
    expect(readStringLiteral(literal)).toBe(bytes);
  });

  test.each([
    ['"a', "missing closing", 0],
    ['"', "missing closing", 0],
    ['"a\\"', "missing closing", 0],
    ['"\\q"', "unknown escape", 1],
    ["'a\\\"'", "unknown escape", 2],
    ['"ab\\x4"', "unknown escape", 3],
    ['"\\400"', "unknown escape", 1],
    ['"\\ud800"', "unknown escape", 1],
    ['"\\U00110000"', "unknown escape", 1],
    ['"\\8"', "unknown escape", 1],
  ])("refuses %s", (literal, message, offset) => {
    expect(() => readStringLiteral(literal)).toThrow(LiteralError);
    expect(() => readStringLiteral(literal)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message), offset }),
    );
  });
});
