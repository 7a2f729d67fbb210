import { describe, expect, test } from "bun:test";
import { MemberClocks } from "./member-clocks.ts";

/** What a member whose clock is ahead by `offset` seconds answers, when it is asked at `at` and takes `roundTrip` to answer. */
function sample(at: number, offset: number, roundTrip = 0.002) {
  return {
    memberSeconds: Math.floor(at + roundTrip / 2 + offset),
    sentAt: at * 1000,
    headAt: (at + roundTrip) * 1000,
  };
}

describe("MemberClocks", () => {
  test.each([0, 30, -30, 0.4])("learns from a few samples that a clock is ahead by %p seconds", (offset) => {
    const clocks = new MemberClocks();
    for (let i = 0; i < 12; i++) clocks.add("a", sample(1_000 + i * 0.093, offset));
    const { seconds, uncertainty } = clocks.localTime("a", 1_000 + offset, 1_002_000);
    expect(uncertainty).toBeLessThan(0.11);
    expect(Math.abs(seconds - 1_000)).toBeLessThanOrEqual(uncertainty);
  });

  test("knows no better than a second after one sample", () => {
    const clocks = new MemberClocks();
    clocks.add("a", sample(1_000.3, 7));
    expect(clocks.uncertainty("a", 1_000_300)).toBeCloseTo(0.501, 3);
  });

  test("forgets what it knew when the clock was set", () => {
    const clocks = new MemberClocks();
    for (let i = 0; i < 12; i++) clocks.add("a", sample(1_000 + i * 0.093, 0));
    clocks.add("a", sample(1_010, -3_600));
    const { seconds, uncertainty } = clocks.localTime("a", 1_010 - 3_600, 1_010_000);
    expect(Math.abs(seconds - 1_010)).toBeLessThanOrEqual(uncertainty);
  });

  test("grows less certain with time", () => {
    const clocks = new MemberClocks();
    clocks.add("a", sample(1_000, 0));
    expect(clocks.uncertainty("a", 4_600_000)).toBeGreaterThan(clocks.uncertainty("a", 1_000_000) + 0.3);
  });

  test("takes a clock that it never saw for right, and for little known", () => {
    expect(new MemberClocks().localTime("a", 1_000, 0)).toEqual({ seconds: 1_000, uncertainty: 5 });
  });
});
