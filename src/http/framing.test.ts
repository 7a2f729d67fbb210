import { describe, expect, test } from "bun:test";
import { splitList } from "./framing.ts";

describe("splitList()", () => {
  test.each<[string, string[]]>([
    ["", []],
    [" , ,", []],
    ["Close", ["close"]],
    ["a,B ,\tc", ["a", "b", "c"]],
    ["a b", ["a b"]],
  ])("%p is %p", (value, items) => {
    expect(splitList(value)).toEqual(items);
  });

  test("takes time in proportion to a long run of blanks within an item", () => {
    const item = `a${" ".repeat(1 << 20)}b`;
    expect(splitList(`${item},${item}`)).toEqual([item, item]);
  });

  test("keeps bytes beyond ASCII, which are no blanks", () => {
    expect(splitList("\xa0a\x85")).toEqual(["\xa0a\x85"]);
  });
});
