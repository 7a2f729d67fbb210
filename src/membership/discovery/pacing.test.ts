import { describe, expect, test } from "bun:test";
import { Backoff, TokenBucket } from "./pacing.ts";

/** Elapsed time is compared with lower bounds only: a busy machine makes everything slower. */
async function elapsedMs(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

const never = new AbortController().signal;
// Timers may fire a fraction of a millisecond early.
const TIMER_SLACK_MS = 1;

describe("TokenBucket.take()", () => {
  test("spreads what goes beyond the burst over the refills", async () => {
    const bucket = new TokenBucket(2, 50);
    const elapsed = await elapsedMs(async () => {
      for (let i = 0; i < 4; i++) await bucket.take(never);
    });
    expect(elapsed).toBeGreaterThanOrEqual(100 - 2 * TIMER_SLACK_MS);
  });

  test("rejects at once when aborted", async () => {
    const bucket = new TokenBucket(0, 3_600_000);
    const abort = new AbortController();
    const taking = bucket.take(abort.signal);
    abort.abort();
    await expect(taking).rejects.toThrow();
  });
});

describe("Backoff", () => {
  test("doubles from one bound to the other, give or take a half, and starts anew after a success", () => {
    for (let round = 0; round < 100; round++) {
      const backoff = new Backoff(100, 300);
      for (const middle of [100, 200, 300, 300]) {
        const delayMs = backoff.nextMs();
        expect(delayMs).toBeGreaterThanOrEqual(middle / 2);
        expect(delayMs).toBeLessThan(middle * 1.5);
      }
      backoff.reset();
      expect(backoff.nextMs()).toBeLessThan(150);
    }
  });

  test("rejects at once when aborted", async () => {
    const abort = new AbortController();
    const waiting = new Backoff(3_600_000, 3_600_000).wait(abort.signal);
    abort.abort();
    await expect(waiting).rejects.toThrow();
  });
});
