import { describe, expect, test } from "bun:test";
import { Pace } from "./pace.ts";

const SIGNAL = new AbortController().signal;

describe("Pace.each()", () => {
  test("takes each step once, those of one member in order", async () => {
    const pace = new Pace(() => 100_000);
    const items = Array.from({ length: 50 }, (_, index) => ({ member: index % 2 === 0 ? "a" : "b", index }));
    const taken: number[] = [];
    await pace.each(
      items,
      ({ member }) => member,
      SIGNAL,
      async ({ index }) => void taken.push(index),
    );
    expect(taken.filter((index) => index % 2 === 0)).toEqual(Array.from({ length: 25 }, (_, index) => 2 * index));
    expect(taken.toSorted((one, other) => one - other)).toEqual(items.map(({ index }) => index));
  });

  test("takes no more steps on a member than the rate allows, over all that runs at the same time", async () => {
    const pace = new Pace(() => 100);
    const started = performance.now();
    let steps = 0;
    const run = async () => {
      await pace.each(
        Array.from({ length: 15 }, () => "a"),
        (member) => member,
        SIGNAL,
        async () => void steps++,
      );
    };
    await Promise.all([run(), run()]);
    expect(steps).toBe(30);
    // 30 steps at 100 a second: the first is free, and a tick of 10 ms counts as now.
    expect(performance.now() - started).toBeGreaterThanOrEqual(270);
  });

  test("rejects when the signal aborts, and takes no more steps", async () => {
    const pace = new Pace(() => 10);
    const abort = new AbortController();
    let steps = 0;
    const running = pace.each(
      Array.from({ length: 100 }, () => "a"),
      (member) => member,
      abort.signal,
      async () => {
        steps++;
        abort.abort(new Error("enough"));
      },
    );
    expect(running).rejects.toThrow("enough");
    await running.catch(() => {});
    const taken = steps;
    await Bun.sleep(250);
    expect(steps).toBe(taken);
  });
});
