import type { MemberSet } from "../membership/member-set.ts";

/** The members to try for one push: the owner, then the others in the order in which they would own its group. */
export class PushOwners {
  readonly #members: MemberSet;
  readonly #canonicalPath: string;
  #rest: Iterator<{ readonly address: string }> | undefined;
  #started = false;

  constructor(members: MemberSet, canonicalPath: string) {
    this.#members = members;
    this.#canonicalPath = canonicalPath;
  }

  /** Address of the next one. Undefined when all have been tried. */
  next(): string | undefined {
    if (!this.#started) {
      this.#started = true;
      return this.#members.ownerOf(this.#canonicalPath)?.address;
    }
    // Most pushes need no second member, so the walk round the ring starts only here; its first step is the owner.
    if (this.#rest === undefined) {
      this.#rest = this.#members.ownersOf(this.#canonicalPath)[Symbol.iterator]();
      this.#rest.next();
    }
    const next = this.#rest.next();
    return next.done === true ? undefined : next.value.address;
  }
}
