import type { MemberSet } from "../membership/member-set.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";

/**
 * The members to try for one push: the owner of its group, then whoever would own it without those that have been tried. Each is
 * chosen when it is asked for, so that a push passes over members which others have found out of reach meanwhile. Members that
 * look down and take pushes in a panic come last, but for the owner: a push has no time to wait for several frozen ones.
 */
export class PushOwners {
  readonly key: GroupingKey;
  readonly #members: () => MemberSet | undefined;
  #latest: string | undefined;
  /** Those before the latest. Most pushes need no second member, and so no set of them. */
  #tried: Set<string> | undefined;

  /** `members`: the members at the moment. */
  constructor(members: () => MemberSet | undefined, key: GroupingKey) {
    this.#members = members;
    this.key = key;
  }

  /** Address of the next one. Undefined when all that take pushes have been tried. */
  next(): string | undefined {
    const members = this.#members();
    const next =
      this.#latest === undefined ? members?.ownerOf(this.key.canonicalPath)?.address : this.#untried(members);
    this.#latest = next ?? this.#latest;
    return next;
  }

  #untried(members: MemberSet | undefined): string | undefined {
    this.#tried ??= new Set();
    this.#tried.add(this.#latest as string);
    let lastResort: string | undefined;
    for (const { address, state } of members?.ownersOf(this.key.canonicalPath) ?? []) {
      if (this.#tried.has(address)) continue;
      if (state === "active") return address;
      lastResort ??= address;
    }
    return lastResort;
  }
}
