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
 * The members whose groups are shown: not those on their way back, which may still hold old copies, unless they take pushes
 * for lack of others.
 */
export function shownMembers(set: MemberSet, timeoutMs: number): readonly AskedMember[] {
  return allMembers(set, timeoutMs).filter(
    (_, index) => set.members[index]?.state !== "joining" || set.takesPushes(index),
  );
}
