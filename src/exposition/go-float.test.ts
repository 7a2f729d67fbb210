import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatGoFloat, parseGoFloat, toGoUint64 } from "./go-float.ts";

describe("parseGoFloat()", () => {
  test.each([
    ["1", 1],
    ["+1", 1],
    ["-.5", -0.5],
    ["5.", 5],
    ["1e5", 1e5],
    ["1E-400", 0],
    ["inf", Number.POSITIVE_INFINITY],
    ["+Infinity", Number.POSITIVE_INFINITY],
    ["-INF", Number.NEGATIVE_INFINITY],
    ["nAn", Number.NaN],
    ["00012", 12],
  ])("reads %p", (text, value) => {
    expect(parseGoFloat(text)).toBe(value);
  });

  test.each(["", ".", "e5", "1e", "1e400", "0x10", "0x1p3", "1_000", "+nan", "infin", "1 ", "١"])(
    "refuses %p",
    (text) => {
      expect(parseGoFloat(text)).toBeUndefined();
    },
  );
});

describe("formatGoFloat()", () => {
  test.each([
    [0, "0"],
    [-0, "-0"],
    [3, "3"],
    [-999999, "-999999"],
    [1e6, "1e+06"],
    [123456789, "1.23456789e+08"],
    [1795429858.3332627, "1.7954298583332627e+09"],
    [123456.75, "123456.75"],
    [0.0001, "0.0001"],
    [0.00001, "1e-05"],
    [1e100, "1e+100"],
    [5e-324, "5e-324"],
    [Number.NaN, "NaN"],
    [Number.POSITIVE_INFINITY, "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf"],
  ])("writes %p", (value, text) => {
    expect(formatGoFloat(value)).toBe(text);
  });

  test("writes what reads back the same", () => {
    fc.assert(fc.property(fc.double(), (value) => Object.is(parseGoFloat(formatGoFloat(value)), value)));
  });
});

describe("toGoUint64()", () => {
  test.each([
    [3.9, 3],
    [-0.5, 0],
    [-1, 2 ** 64],
    [-(2 ** 63), 2 ** 63],
    [-(2 ** 70), 2 ** 63],
    [2 ** 63, 2 ** 63],
    [1e19, 1e19],
    [1e22, 2 ** 63],
    [Number.NEGATIVE_INFINITY, 2 ** 63],
    [Number.POSITIVE_INFINITY, 2 ** 63],
    [Number.NaN, 2 ** 63],
  ])("converts %p", (value, converted) => {
    expect(toGoUint64(value)).toBe(converted);
  });
});
