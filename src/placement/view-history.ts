import type { MemberSet } from "../membership/member-set.ts";
import type { ByteString } from "../sharding/byte-string.ts";

/** More views than these in so short a time come from flapping; audits find what the forgotten ones leave. */
const MAX_VIEWS = 16;

/**
 * The member sets of the recent past. After a change, routers learn of it one after the other, and redirected clients are
 * still on their way: for a while, a group may be pushed to whoever owned it before.
 */
export class ViewHistory {
  readonly #memoryMs: number;
  #views: { readonly set: MemberSet; readonly until: number }[] = [];

  /** Views are remembered for so long after they were replaced. */
  constructor(memoryMs: number) {
    this.#memoryMs = memoryMs;
  }

  /** The set was replaced. */
  add(set: MemberSet, now: number): void {
    this.#views = [...this.#views, { set, until: now + this.#memoryMs }].slice(-MAX_VIEWS);
  }

  /** Somebody still goes by one of the views: remembers them for longer. */
  renew(now: number): void {
    this.#views = this.#views.map(({ set }) => ({ set, until: now + this.#memoryMs }));
  }

  /** Whether no view is remembered. */
  isEmpty(now: number): boolean {
    if (this.#views.length > 0) this.#views = this.#views.filter(({ until }) => until > now);
    return this.#views.length === 0;
  }

  /** Who owned the group under each remembered view. */
  *ownersOf(canonicalPath: ByteString): Iterable<string> {
    for (const { set } of this.#views) {
      const owner = set.ownerOf(canonicalPath);
      if (owner !== undefined) yield owner.address;
    }
  }
}
