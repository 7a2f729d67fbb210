import { expect, test } from "bun:test";
import { type PushTime, ShownTimes } from "./shown-times.ts";

/** Times in seconds. */
function copy(address: string, pushTime: number, uncertainty = 0.1): PushTime {
  return { address, pushTime, pushedAt: { seconds: pushTime, uncertainty } };
}

test("a group with several copies is not shown as it was before what was shown last", () => {
  const shown = new ShownTimes();
  expect(shown.admits("job", copy("a", 11), true, 1_000)).toBe(true);
  expect(shown.admits("job", copy("b", 10), false, 2_000)).toBe(false);
  expect(shown.admits("job", copy("a", 10.9), false, 3_000)).toBe(false);
  expect(shown.admits("job", copy("a", 11), false, 4_000)).toBe(true);
  expect(shown.admits("job", copy("b", 12), false, 5_000)).toBe(true);
});

test("what may be as new as what was shown last is shown, as far as clocks are known", () => {
  const shown = new ShownTimes();
  shown.admits("job", copy("a", 11), true, 1_000);
  expect(shown.admits("job", copy("b", 10.85), false, 2_000)).toBe(true);
  shown.admits("job", copy("a", 11, 5), true, 3_000);
  expect(shown.admits("job", { ...copy("a", 11), pushedAt: { seconds: 4, uncertainty: 0.1 } }, false, 4_000)).toBe(
    true,
  );
});

test("what is older is shown in the end, when nothing newer comes", () => {
  const shown = new ShownTimes();
  shown.admits("job", copy("a", 11), true, 0);
  const old = copy("b", 10);
  const answers = [1_000, 15_999, 16_000, 17_000].map((now) => shown.admits("job", old, false, now));
  expect(answers).toEqual([false, false, true, true]);
});

test("a group is remembered for a minute after it last had several copies", () => {
  const shown = new ShownTimes();
  shown.admits("several", copy("a", 11), true, 0);
  shown.admits("several", copy("a", 12), false, 30_000);
  expect([...shown.groups(60_000)]).toEqual(["several"]);
  expect([...shown.groups(60_001)]).toEqual([]);
  expect(shown.admits("several", copy("a", 1), false, 61_000)).toBe(true);
});
