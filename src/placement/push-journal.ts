import type { GroupId } from "../sharding/group-id.ts";

/**
 * Which groups were pushed to while somebody looked at members, for those who act on what they saw. Kept only as long as somebody
 * asks for it, so that it costs the push path nothing in between.
 */
export class PushJournal {
  readonly #pushed = new Set<GroupId>();
  #readers = 0;

  get isOpen(): boolean {
    return this.#readers > 0;
  }

  note(id: GroupId): void {
    this.#pushed.add(id);
  }

  has(id: GroupId): boolean {
    return this.#pushed.has(id);
  }

  /** Notes pushes until the work is done. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#readers++;
    try {
      return await work();
    } finally {
      this.#readers--;
      if (this.#readers === 0) this.#pushed.clear();
    }
  }
}
