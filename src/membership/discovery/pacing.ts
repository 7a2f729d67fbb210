/**
 * Waits between attempts that fail: doubles from one bound to the other, spread by half either way so that routers do
 * not march in step.
 */
export class Backoff {
  readonly #minMs: number;
  readonly #maxMs: number;
  #nextMs: number;

  constructor(minMs: number, maxMs: number) {
    this.#minMs = minMs;
    this.#maxMs = maxMs;
    this.#nextMs = minMs;
  }

  /** How long to wait after one more failure. */
  nextMs(): number {
    const delayMs = this.#nextMs * (0.5 + Math.random());
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs);
    return delayMs;
  }

  /** Waits that long. Rejects when aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    await sleep(this.nextMs(), signal);
  }

  /** The last attempt succeeded. */
  reset(): void {
    this.#nextMs = this.#minMs;
  }
}

/** Lets a burst through at once, and then one at each refill: quick while it is calm, a steady poll while it is not. */
export class TokenBucket {
  readonly #burst: number;
  readonly #refillMs: number;
  #tokens: number;
  #filledAt = performance.now();

  constructor(burst: number, refillMs: number) {
    this.#burst = burst;
    this.#refillMs = refillMs;
    this.#tokens = burst;
  }

  /** Takes a token, waiting for it where there is none. For one caller at a time. Rejects when aborted. */
  async take(signal: AbortSignal): Promise<void> {
    const now = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#filledAt) / this.#refillMs);
    this.#filledAt = now;
    this.#tokens -= 1;
    if (this.#tokens < 0) await sleep(-this.#tokens * this.#refillMs, signal);
  }
}

/**
 * Rejects with the signal's reason when aborted. Ours, because node:timers/promises costs the process 3 MB of memory.
 */
async function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, delayMs);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
