import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

describe("parseDuration()", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["250ms", 250],
    ["5s", 5000],
    ["1m30s", 90_000],
    ["90m", 5_400_000],
    ["1h0m5ms", 3_600_005],
    ["2d", 172_800_000],
    ["1w", 604_800_000],
    ["1y2w3d4h5m6s7ms", 31_536_000_000 + 2 * 604_800_000 + 3 * 86_400_000 + 4 * 3_600_000 + 5 * 60_000 + 6 * 1000 + 7],
  ])("reads %s as Prometheus does", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(["", "5", "5 s", " 5s", "1.5s", "-5s", "s", "ms", "30s1m", "1m1m", "5sec", "5S", "9999999999s", "1s\n"])(
    "refuses %j",
    (text) => {
      expect(() => parseDuration(text)).toThrow('expected a duration such as "5s", "1m30s" or "250ms"');
    },
  );
});

describe("formatDuration()", () => {
  test.each([
    [0, "0"],
    [4500, "4s500ms"],
    [90_000, "1m30s"],
    [8 * 86_400_000, "8d"],
  ])("writes %d as %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  test("is read back as the same duration", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 ** 13 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).toBe(milliseconds);
      }),
    );
  });
});
