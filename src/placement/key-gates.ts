import type { GroupId } from "../sharding/group-id.ts";

/**
 * Groups on which a clean-up is at work. A push that came between a look at two copies and the step that follows from it
 * could be deleted or overwritten, so it waits until the step is done.
 */
export class KeyGates {
  readonly #closed = new Map<GroupId, Promise<void>>();

  get isAnyClosed(): boolean {
    return this.#closed.size > 0;
  }

  /** Resolves when nobody works on the group any more; undefined: nobody does. */
  whenOpen(id: GroupId): Promise<void> | undefined {
    return this.#closed.get(id);
  }

  /** Does the work with the gate closed, after any other work on the group. */
  async close<T>(id: GroupId, work: () => Promise<T>): Promise<T> {
    const before = this.#closed.get(id);
    const opened = Promise.withResolvers<void>();
    this.#closed.set(id, opened.promise);
    try {
      await before;
      return await work();
    } finally {
      if (this.#closed.get(id) === opened.promise) this.#closed.delete(id);
      opened.resolve();
    }
  }
}
