/** Time between two looks at what may be done now. */
const TICK_MS = 10;
/** Steps on one member at the same time. */
const MAX_CONCURRENT = 16;

/**
 * Does many small things at a rate that leaves members their time for pushes. The rate is kept for each member by itself, over
 * all that runs at the same time.
 */
export class Pace {
  readonly #rate: () => number;
  /** When the next step on a member may be taken, on the monotonic clock. */
  readonly #next = new Map<string, number>();

  /** `rate`: steps a second on one member. */
  constructor(rate: () => number) {
    this.#rate = rate;
  }

  /** The first items of each member, as many as the rate allows within a second. */
  withinASecond<T>(items: readonly T[], memberOf: (item: T) => string): readonly T[] {
    const taken = new Map<string, number>();
    return items.filter((item) => {
      const member = memberOf(item);
      const count = (taken.get(member) ?? 0) + 1;
      taken.set(member, count);
      return count <= Math.max(1, this.#rate());
    });
  }

  /** Does `step` for each item, those of one member in order. Rejects when the signal aborts; steps under way finish. */
  async each<T>(
    items: readonly T[],
    memberOf: (item: T) => string,
    signal: AbortSignal,
    step: (item: T) => Promise<void>,
  ): Promise<void> {
    const byMember = Map.groupBy(items, memberOf);
    await Promise.all(
      [...byMember].map(async ([member, own]) => {
        const left = [...own].reverse();
        const work = async () => {
          for (let item = left.pop(); item !== undefined; item = left.pop()) {
            await this.#wait(member, signal);
            await step(item);
          }
        };
        await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT, own.length) }, work));
      }),
    );
  }

  async #wait(member: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const now = performance.now();
    const at = Math.max(now, this.#next.get(member) ?? 0);
    this.#next.set(member, at + 1_000 / this.#rate());
    // Timers are too coarse for single steps: what is due within a tick is due.
    if (at - now > TICK_MS) await Bun.sleep(at - now);
    signal.throwIfAborted();
  }
}
