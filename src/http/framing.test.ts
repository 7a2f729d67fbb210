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
});
