import type { GroupId } from "../sharding/group-id.ts";

/**
 * Which groups were pushed to, and when, while somebody looked at members, for those who act on what they saw. Kept only as long
 * as somebody asks for it, so that it costs the push path nothing in between.
 */
export class PushJournal {
  /** When each group was last pushed to. */
  readonly #pushed = new Map<GroupId, number>();
  #readers = 0;

  get isOpen(): boolean {
    return this.#readers > 0;
  }

  /** `now`: when the push was acknowledged, in milliseconds by this router's clock. */
  note(id: GroupId, now: number): void {
    this.#pushed.set(id, now);
  }

  /**
   * Whether a push was acknowledged at that time or later. `since`: when one's own look began, within `during`; what others have
   * noted from before then, the look has shown.
   */
  has(id: GroupId, since: number): boolean {
    return (this.#pushed.get(id) ?? Number.NEGATIVE_INFINITY) >= since;
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
