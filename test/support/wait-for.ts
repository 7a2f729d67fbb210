export interface WaitOptions {
  /** 10 s when absent. */
  readonly timeoutMs?: number;
  /** Pause between two probes; 25 ms when absent. */
  readonly intervalMs?: number;
  /** Ends the wait early with the signal's reason. */
  readonly signal?: AbortSignal;
}

type Falsy = false | 0 | "" | null | undefined;

/**
 * Probes until the answer is truthy and returns it. A probe that throws counts as "not yet"; what it said last is part of the
 * error when the deadline passes, so a probe explains itself by throwing.
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, Falsy>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const deadline = performance.now() + timeoutMs;
  let lastSeen: unknown = "nothing yet";
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const seen = await withDeadline(Promise.resolve(probe()), deadline - performance.now());
      if (seen) return seen as Exclude<T, Falsy>;
      lastSeen = seen;
    } catch (error) {
      lastSeen = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Cannot wait longer for ${what}: ${timeoutMs} ms have passed; last seen: ${describe(lastSeen)}`);
    }
    await Bun.sleep(options.intervalMs ?? 25);
  }
}

async function withDeadline<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: Timer | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the probe did not answer")), Math.max(milliseconds, 1));
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

function describe(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}
