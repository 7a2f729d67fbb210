import { describe, expect, test } from "bun:test";
import { formatByteSize, parseByteSize } from "./byte-size.ts";

describe("parseByteSize()", () => {
  test.each([
    ["0", 0],
    ["65536", 65_536],
    ["100B", 100],
    ["2KB", 2000],
    ["2MB", 2_000_000],
    ["2GB", 2_000_000_000],
    ["512KiB", 524_288],
    ["1 MiB", 1_048_576],
    ["1GiB", 1_073_741_824],
  ])("reads %s", (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  test.each(["", "-1", "1.5MiB", "MiB", "1TiB", "1e3", "1MiB ", "999999999999999GiB", "9".repeat(16)])(
    "refuses %j",
    (text) => {
      expect(() => parseByteSize(text)).toThrow("expected a size in bytes");
    },
  );

  test("suggests the unit that was meant", () => {
    expect(() => parseByteSize("64kib")).toThrow('got "64kib"; did you mean "64KiB"?');
  });
});

describe("formatByteSize()", () => {
  test.each([
    [0, "0"],
    [1000, "1000"],
    [1024, "1KiB"],
    [1_572_864, "1536KiB"],
    [3 * 1024 ** 3, "3GiB"],
  ])("writes %d as %s", (bytes, text) => {
    expect(formatByteSize(bytes)).toBe(text);
  });
});
