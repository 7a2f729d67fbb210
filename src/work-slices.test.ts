import { describe, expect, test } from "bun:test";
import { WorkSlices } from "./work-slices.ts";

/** Takes a millisecond. */
function work(): void {
  const until = performance.now() + 1;
  while (performance.now() < until);
}

describe("WorkSlices.visit()", () => {
  test("visits all items in order, those too that are added meanwhile", async () => {
    const items = new Set(Array.from({ length: 1_000 }, (_, i) => i));
    const visited: number[] = [];
    await new WorkSlices().visit(items, (item) => {
      visited.push(item);
      if (item === 999) items.add(1_000);
    });
    expect(visited).toEqual(Array.from({ length: 1_001 }, (_, i) => i));
  });

  test("lets other work have its turn in between", async () => {
    let turns = 0;
    const ticker = setInterval(() => turns++, 0);
    const seen = new Set<number>();
    const items = Array.from({ length: 640 }, (_, i) => i);
    await new WorkSlices().visit(items, (item) => {
      if (item % 64 === 0) work();
      seen.add(turns);
    });
    clearInterval(ticker);
    expect(seen.size).toBeGreaterThan(1);
  });

  test("rejects with what a visit throws", async () => {
    const fail = () => {
      throw new Error("enough");
    };
    await expect(new WorkSlices().visit([1], fail)).rejects.toThrow("enough");
  });
});

describe("WorkSlices.next()", () => {
  test("gives works that wait at the same time different turns", async () => {
    const slices = new WorkSlices();
    let turn = 0;
    let isOver = false;
    const count = () => {
      turn++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const turns: number[] = [];
    const one = async () => {
      await slices.next();
      turns.push(turn);
    };
    await Promise.all([one(), one(), one()]);
    isOver = true;
    expect(new Set(turns).size).toBe(3);
  });
});
