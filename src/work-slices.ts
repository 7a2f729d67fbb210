/** How long work may hold up everything else, in milliseconds: a push waits for it several times on its way. */
const SLICE_MS = 1;
/** Items between two looks at the clock. */
const STEP = 64;

/**
 * Cuts long work into slices, between which the event loop serves pushes. The work asks `isOver` every now and then, and
 * then awaits `next`. All works of a process share one of it: whatever goes on, it is one slice in two turns of the event loop.
 */
export class WorkSlices {
  #end = 0;
  #turn: Promise<void> = Promise.resolve();

  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Waits for a slice of its own. Works that wait get theirs one after the other, with a turn of the event loop in between. */
  async next(): Promise<void> {
    this.#turn = this.#turn.then(afterTwoTurns);
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

/** A turn that costs nothing when nothing happens, and half the delay of pushes when the processor is short. */
function afterTwoTurns(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
