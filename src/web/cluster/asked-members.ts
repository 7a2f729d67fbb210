import type { MemberSet } from "../../membership/member-set.ts";

/** A member that is asked something, and how long it is waited for. */
export interface AskedMember {
  readonly address: string;
  readonly timeoutMs: number;
}

/** A member that could not be asked, so that an answer lacks its groups or some of them. */
export interface MissingMember {
  readonly address: string;
  readonly error: unknown;
}

/** A member that looks down is asked, but hardly waited for: a frozen one would slow down every answer. */
const DOWN_TIMEOUT_MS = 1_000;

/** All members. */
export function allMembers(set: MemberSet, timeoutMs: number): readonly AskedMember[] {
  return set.members.map(({ address, state }) => {
    const isDown = state === "down" && !set.panic;
    return { address, timeoutMs: isDown ? Math.min(timeoutMs, DOWN_TIMEOUT_MS) : timeoutMs };
  });
}

/**
 * The members whose groups are shown: not those that are away or on their way back, unless they take pushes for lack of others.
 * Such a member may hold old copies, and a frozen one that thaws may just be applying pushes that were given up.
 */
export function shownMembers(set: MemberSet, timeoutMs: number): readonly AskedMember[] {
  return allMembers(set, timeoutMs).filter((_, index) => isShown(set, index));
}

/** The members that are down and so not shown. What they hold is missing from what is. */
export function awayMembers(set: MemberSet): readonly MissingMember[] {
  return set.members.flatMap(({ address, state, reason }, index) =>
    state === "down" && !isShown(set, index) ? [{ address, error: new Error(`It is down: ${reason}`) }] : [],
  );
}

function isShown(set: MemberSet, index: number): boolean {
  const state = set.members[index]?.state;
  return state === "active" || state === "draining" || set.takesPushes(index);
}
