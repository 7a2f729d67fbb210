import type { MeasuredRouter } from "./measured-router.ts";

const DEADLINE_MS = 120_000;
const LOOK_MS = 500;

/** Watches a router remove stale copies. */
export class Removals {
  readonly #router: MeasuredRouter;
  readonly #expected: number;
  readonly #looks: { readonly at: number; readonly count: number }[] = [];
  #isOver = false;

  constructor(router: MeasuredRouter, expected: number) {
    this.#router = router;
    this.#expected = expected;
  }

  /** Whether all are gone, or have not come to be for too long. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Resolves when all are gone. */
  async watch(signal: AbortSignal): Promise<void> {
    const until = performance.now() + DEADLINE_MS;
    try {
      while ((await this.#look()) < this.#expected) {
        signal.throwIfAborted();
        if (performance.now() > until)
          throw new Error(`Cannot wait longer for ${this.#expected} removals: ${this.#seen()}`);
        await Bun.sleep(LOOK_MS);
      }
    } finally {
      this.#isOver = true;
    }
  }

  /** Copies a second, from the last look at which none was gone to the one at which all were. */
  get rate(): number {
    const first = this.#looks.findLast(({ count }) => count === 0);
    const last = this.#looks.at(-1);
    return first === undefined || last === undefined ? Number.NaN : (1_000 * last.count) / (last.at - first.at);
  }

  async #look(): Promise<number> {
    const count = await this.#router.sample("copies_removed_total", 'reason="stale"');
    this.#looks.push({ at: performance.now(), count });
    return count;
  }

  #seen(): string {
    return `${this.#looks.at(-1)?.count ?? 0} were seen`;
  }
}
