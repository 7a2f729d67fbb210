/** For whoever waits for a carrying, and may go on without it as long as nothing is being written. */
export class CarryGuard {
  readonly #stopped = Promise.withResolvers<void>();
  readonly #cancelled = new AbortController();
  #writing: Promise<unknown> | undefined;

  /** Resolves when it is cancelled while nothing is being written. */
  get whenStopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Aborted when it is cancelled: nothing may be begun any more. */
  get signal(): AbortSignal {
    return this.#cancelled.signal;
  }

  /** Nothing will be written from now on. Resolves when what is being written has been answered. */
  async cancel(): Promise<void> {
    this.#cancelled.abort();
    if (this.#writing === undefined) this.#stopped.resolve();
    await this.#writing;
  }

  /** Writes; undefined: that is not wanted any more. `write` must not reject. */
  async write<T>(write: () => Promise<T>): Promise<T | undefined> {
    if (this.#cancelled.signal.aborted) return undefined;
    const writing = write();
    this.#writing = writing;
    const result = await writing;
    this.#writing = undefined;
    return result;
  }
}
