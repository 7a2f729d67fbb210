import { describe, expect, test } from "bun:test";
import { formatGoDuration, parseGoDuration } from "./go-duration.ts";

describe("parseGoDuration()", () => {
  test.each([
    ["5m", 300_000],
    ["5m0s", 300_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1_500],
    [".5s", 500],
    ["250ms", 250],
    ["1s1s", 2_000],
    ["0", 0],
    ["0s", 0],
  ])("reads %j", (text, durationMs) => {
    expect(parseGoDuration(text)).toBe(durationMs);
  });

  test.each(["", "5", "m", "1d", "-1s", "1 s", "1s,", "1.2.3s"])("refuses %j", (text) => {
    expect(() => parseGoDuration(text)).toThrow(RangeError);
  });
});

test.each([
  [300_000, "5m0s"],
  [5_400_000, "1h30m0s"],
  [1_500, "1.5s"],
  [0, "0s"],
])("formatGoDuration() prints %d ms as Go does", (durationMs, text) => {
  expect(formatGoDuration(durationMs)).toBe(text);
});
