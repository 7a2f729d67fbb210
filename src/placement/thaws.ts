import type { Member } from "../membership/member.ts";
import type { MemberSet } from "../membership/member-set.ts";
import { earliestMs, type LocalTime, latestMs } from "./member-clocks.ts";

/** A member answered again that had stopped answering. Times in milliseconds by this router's clock. */
interface Thaw {
  /** Pushes to the member may have been given up, and gone elsewhere, since then. */
  readonly outageFrom: number;
  readonly downSince: number;
  /** Between these, what had waited in its sockets was applied. */
  readonly from: number;
  readonly until: number;
  /** Whether it was no thaw: others pushed to the member within the outage. */
  readonly isRefuted: boolean;
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
const MAX_THAWS = 4;
/** A member that is in service has worked off its queue of writes, which may be full, after so long. */
const QUEUE_MS = 30_000;

/**
 * When members thawed. A Pushgateway that is frozen and thaws applies the pushes that had waited in its sockets, and dates them then,
 * long after whoever sent them has given them up. A router knows which ones it gave up itself (`Directory.doubted`); of those of
 * other routers it knows only when they were applied.
 */
export class Thaws {
  readonly #byMember = new Map<string, readonly Thaw[]>();
  #set: MemberSet | undefined;
  #panickedAt = 0;

  /** There is another member set than before. */
  membersChanged(next: MemberSet, now: number): void {
    const previous = this.#set;
    this.#set = next;
    if (next.panic || previous?.panic) this.#panickedAt = now;
    const before = new Map(previous?.members.map((member) => [member.address, member]));
    for (const member of next.members) {
      const known = before.get(member.address);
      if (known?.state === "down" && member.state !== "down") this.#noteReturn(member, known.since, now);
    }
    for (const address of this.#byMember.keys()) if (!next.has(address)) this.#byMember.delete(address);
  }

  #noteReturn({ address, unansweredAt }: Member, downSince: number, now: number): void {
    const wasSilent = unansweredAt !== undefined && unansweredAt >= downSince - SILENT_BEFORE_MS;
    // In a panic, members that look down are pushed to all the same.
    if (!wasSilent || this.#panickedAt >= downSince) return;
    const outageFrom = downSince - NOTICED_EARLIER_MS;
    const thaw = { outageFrom, downSince, from: unansweredAt, until: now + WORK_OFF_MS, isRefuted: false };
    this.#byMember.set(address, [...(this.#byMember.get(address) ?? []), thaw].slice(-MAX_THAWS));
  }

  /**
   * The member was seen to hold a copy that it dates so. If that is within an outage, it was not frozen, but out of this router's reach
   * alone: others may have pushed to it by rights.
   */
  seen(address: string, pushedAt: LocalTime): void {
    const thaws = this.#byMember.get(address);
    if (thaws === undefined || !thaws.some((thaw) => !thaw.isRefuted && isWithinOutage(pushedAt, thaw))) return;
    const told = thaws.map((thaw) => (isWithinOutage(pushedAt, thaw) ? { ...thaw, isRefuted: true } : thaw));
    this.#byMember.set(address, told);
  }

  /** The thaw in which the member may have taken a push that it dates so. */
  at(address: string, pushedAt: LocalTime): Thaw | undefined {
    return this.#byMember.get(address)?.findLast(({ from, until, isRefuted }) => {
      return !isRefuted && latestMs(pushedAt) >= from && earliestMs(pushedAt) <= until;
    });
  }

  /** Whether the member may still apply what was given up at that time, or has dated it so. */
  mayExplain(address: string, pushedAt: LocalTime, givenUpAt: number): boolean {
    const thaw = this.#byMember.get(address)?.find(({ until }) => until - WORK_OFF_MS >= givenUpAt);
    if (thaw === undefined) return earliestMs(pushedAt) <= settledAt(this.#set, address, givenUpAt);
    return earliestMs(pushedAt) <= thaw.until && !(thaw.isRefuted && isWithinOutage(pushedAt, thaw));
  }

  /** Whether the member thawed a moment ago and may still be at work on what had waited. */
  isRecent(address: string, now: number): boolean {
    return this.#byMember.get(address)?.some(({ until, isRefuted }) => !isRefuted && until >= now) === true;
  }
}

/**
 * When the member has applied what was given up at that time, or has dropped it, in milliseconds by this router's clock: half a minute
 * after that, or after it came back into service. Infinity: it is not in service.
 */
export function settledAt(set: MemberSet | undefined, address: string, givenUpAt: number): number {
  const member = set?.get(address);
  const isInService = member?.state === "active" || member?.state === "draining";
  return isInService ? Math.max(givenUpAt, member.since) + QUEUE_MS : Number.POSITIVE_INFINITY;
}

/** Whether a member that is frozen cannot have dated it so: checks went unanswered before and after. */
function isWithinOutage(pushedAt: LocalTime, { downSince, from }: Thaw): boolean {
  return earliestMs(pushedAt) > downSince && latestMs(pushedAt) < from - TOLD_LATE_MS;
}
