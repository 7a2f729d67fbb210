import type { Member } from "../membership/member.ts";
import type { MemberSet } from "../membership/member-set.ts";
import { earliestMs, type LocalTime, latestMs } from "./member-clocks.ts";

/** A member came back. Times in milliseconds by this router's clock. */
interface Return {
  /** Pushes to the member may have been given up, and gone elsewhere, since then. */
  readonly outageFrom: number;
  readonly downSince: number;
  /** When it last left a check unanswered; undefined: it answered all, or nobody listened there. */
  readonly silentUntil: number | undefined;
  /** When all that had waited in its sockets was applied. */
  readonly until: number;
  /** Whether it may have been frozen: it was silent, and nobody pushed to it within the outage. */
  readonly isThaw: boolean;
}

/** A thawed member has worked off what was in its sockets so long after its first answer. */
const WORK_OFF_MS = 1_000;
/** Another router may have noticed the outage so much earlier: health checks take three intervals by default. */
const NOTICED_EARLIER_MS = 15_000;
/** A member goes down when it has been silent, not much later; a Consul agent takes out those that answer, too. */
const SILENT_BEFORE_MS = 1_000;
/** The last check that went unanswered may have been told of so late. */
const TOLD_LATE_MS = 1_000;
/** Of one member. Older ones have been cleaned up by audits. */
const MAX_RETURNS = 4;
/** A member that stays in service has applied what was given up, or has dropped it, after so long. */
export const DOUBT_MS = 30_000;

/** What is remembered of a member. */
interface Past {
  /** When it became one, in milliseconds by this router's clock. What it went through before is not known. */
  readonly since: number;
  readonly returns: readonly Return[];
}

/**
 * When members came back, and which of them had been frozen. A Pushgateway that is frozen and thaws applies the pushes that had
 * waited in its sockets, and dates them then, long after whoever sent them has given them up. A router knows which ones it gave up
 * itself (`Directory.doubted`); of those of other routers it knows only when they were applied.
 */
export class Thaws {
  readonly #pasts = new Map<string, Past>();
  #panickedAt = 0;

  /** One member set was replaced by another. */
  membersChanged(next: MemberSet, previous: MemberSet | undefined, now: number): void {
    if (next.panic || previous?.panic) this.#panickedAt = now;
    const before = new Map(previous?.members.map((member) => [member.address, member]));
    for (const member of next.members) {
      const known = before.get(member.address);
      if (known === undefined) this.#pasts.set(member.address, { since: now, returns: [] });
      if (known?.state === "down" && member.state !== "down") this.#noteReturn(member, known.since, now);
    }
    for (const address of this.#pasts.keys()) if (!next.has(address)) this.#pasts.delete(address);
  }

  #noteReturn({ address, unansweredAt }: Member, downSince: number, now: number): void {
    const wasSilent = unansweredAt !== undefined && unansweredAt >= downSince - SILENT_BEFORE_MS;
    const back: Return = {
      outageFrom: downSince - NOTICED_EARLIER_MS,
      downSince,
      silentUntil: wasSilent ? unansweredAt : undefined,
      until: now + WORK_OFF_MS,
      // In a panic, members that look down are pushed to all the same.
      isThaw: wasSilent && this.#panickedAt < downSince,
    };
    const past = this.#pasts.get(address) ?? { since: now, returns: [] };
    this.#pasts.set(address, { ...past, returns: [...past.returns, back].slice(-MAX_RETURNS) });
  }

  /**
   * The member was seen to hold a copy that it dates so. If that is within an outage, it was not frozen, but out of this router's reach
   * alone: others may have pushed to it by rights.
   */
  seen(address: string, pushedAt: LocalTime): void {
    const past = this.#pasts.get(address);
    if (past === undefined || !past.returns.some((back) => back.isThaw && isWithinSilence(pushedAt, back))) return;
    const returns = past.returns.map((back) => (isWithinSilence(pushedAt, back) ? { ...back, isThaw: false } : back));
    this.#pasts.set(address, { ...past, returns });
  }

  /** Since when pushes went elsewhere that the member may have taken late and dates so; undefined: its date is none of a thaw. */
  at(address: string, pushedAt: LocalTime): number | undefined {
    const thaw = this.#pasts.get(address)?.returns.findLast(({ silentUntil, until, isThaw }) => {
      return isThaw && latestMs(pushedAt) >= (silentUntil ?? until) && earliestMs(pushedAt) <= until;
    });
    return thaw?.outageFrom;
  }

  /** Whether the member may still apply what was given up at that time, or has dated it so. */
  mayExplain(address: string, pushedAt: LocalTime, givenUpAt: number): boolean {
    const { since, returns } = this.#pasts.get(address) ?? { since: Infinity, returns: [] };
    const next = returns.find(({ until }) => until >= givenUpAt);
    if (next === undefined) return givenUpAt < since || earliestMs(pushedAt) <= givenUpAt + DOUBT_MS;
    return earliestMs(pushedAt) <= next.until && !isWithinSilence(pushedAt, next);
  }

  /** Whether the member thawed a moment ago and may still be at work on what had waited. */
  isRecent(address: string, now: number): boolean {
    return this.#pasts.get(address)?.returns.some(({ until, isThaw }) => isThaw && until >= now) === true;
  }
}

/** Whether a member that is frozen cannot have dated it so: checks went unanswered before and after. */
function isWithinSilence(pushedAt: LocalTime, { downSince, silentUntil }: Return): boolean {
  if (silentUntil === undefined) return false;
  return earliestMs(pushedAt) > downSince && latestMs(pushedAt) < silentUntil - TOLD_LATE_MS;
}
