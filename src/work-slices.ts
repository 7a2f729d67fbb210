/** How long work may hold up everything else, in milliseconds. */
const SLICE_MS = 4;

/**
 * Cuts long work into slices, between which the event loop serves pushes. The work asks `isOver` every few hundred steps, and
 * then awaits `next`. Any number of works can share it; they take turns.
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
}
