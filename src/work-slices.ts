/** How long work may hold up everything else, in milliseconds: a push waits for it several times on its way. */
const SLICE_MS = 2;
/** Items between two looks at the clock. */
const STEP = 64;

/**
 * Cuts long work into slices, between which the event loop serves pushes. The work asks `isOver` every now and then, and
 * then awaits `next`. All works of a process share one of it: whatever goes on, it is one slice in each turn of the event loop.
 */
export class WorkSlices {
  #end = 0;
  #turn: Promise<void> = Promise.resolve();

  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Waits for a slice of its own: one of them in each turn of the event loop. */
  async next(): Promise<void> {
    this.#turn = this.#turn.then(() => new Promise((resolve) => setImmediate(resolve)));
    await this.#turn;
    this.#end = performance.now() + SLICE_MS;
  }

  /** Visits all items, those that are added meanwhile too if the iterable shows them. A visit must be short. */
  async visit<T>(items: Iterable<T>, visit: (item: T) => void): Promise<void> {
    let visited = 0;
    for (const item of items) {
      visit(item);
      if (++visited % STEP === 0 && this.isOver) await this.next();
    }
  }
}
