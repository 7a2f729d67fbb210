import { expect, test } from "bun:test";
import { CoarseClock } from "./coarse-clock.ts";

test("a coarse clock has the date of this second, however long ago it ticked", () => {
  const clock = new CoarseClock();
  const before = clock.httpDate;
  const next = (Math.floor(Date.now() / 1_000) + 1) * 1_000;
  Bun.sleepSync(next - Date.now() + 1);
  expect(clock.httpDate).not.toBe(before);
  expect(Date.parse(clock.httpDate)).toBeGreaterThanOrEqual(next);
});
