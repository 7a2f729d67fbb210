import { expect, test } from "bun:test";
import { ShownTimes } from "./shown-times.ts";

test("a group with several copies is not shown as it was before what was shown last", () => {
  const shown = new ShownTimes();
  expect(shown.admits("job", 11, true, 1_000)).toBe(true);
  expect(shown.admits("job", 10, false, 2_000)).toBe(false);
  expect(shown.admits("job", 11, false, 3_000)).toBe(true);
  expect(shown.admits("job", 12, false, 4_000)).toBe(true);
});

test("what is older is shown in the end, when nothing newer comes", () => {
  const shown = new ShownTimes();
  shown.admits("job", 11, true, 0);
  expect(shown.admits("job", 10, false, 1_000)).toBe(false);
  expect(shown.admits("job", 10, false, 15_999)).toBe(false);
  expect(shown.admits("job", 10, false, 16_000)).toBe(true);
  expect(shown.admits("job", 10, false, 17_000)).toBe(true);
});

test("a group is remembered for a minute after it last had several copies", () => {
  const shown = new ShownTimes();
  shown.admits("several", 11, true, 0);
  shown.admits("several", 12, false, 30_000);
  expect([...shown.groups(60_000)]).toEqual(["several"]);
  expect([...shown.groups(60_001)]).toEqual([]);
  expect(shown.admits("several", 1, false, 61_000)).toBe(true);
});
