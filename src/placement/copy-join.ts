import type { MemberSet } from "../membership/member-set.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { Carriage, Carrier } from "./carrier.ts";
import type { CarryGuard } from "./carry-guard.ts";
import type { CleanUp } from "./clean-up.ts";
import { type Directory, isDeletion, type Truth } from "./directory.ts";
import type { ViewHistory } from "./view-history.ts";

export interface CopyJoinContext {
  readonly members: () => MemberSet | undefined;
  readonly directory: Directory;
  readonly history: ViewHistory;
  readonly carrier: Carrier;
  readonly cleanUp: CleanUp;
  /** Whether all members can be looked at with each POST, so few groups are there. */
  readonly isLookCheap: () => boolean;
  /** So long after a member has come back every router has noticed, and cleaned it of what it knows to be gone. */
  readonly noticeMs: () => number;
}

/** Joins copies of a group at its owner, so that a POST goes to one that has all there is. */
export class CopyJoin {
  readonly #context: CopyJoinContext;

  constructor(context: CopyJoinContext) {
    this.#context = context;
  }

  /** Whether a POST to the owner has to be joined with copies that these members hold, or may hold. */
  isNeeded(id: GroupId, owner: string, others: readonly string[], set: MemberSet): boolean {
    const isWhole = wholeSince(this.#context.directory.get(id)?.truth, owner) !== undefined;
    if (isWhole && !this.#mayBeElsewhere(set)) return false;
    return others.some((other) => this.canJoin(set, other));
  }

  /**
   * Carries to the owner what others have, and deletes their copies as long as both say the same: behind the push, a scrape could find
   * the new value first and the old one then. `since`: one that was done later will do. Nobody may push to the group meanwhile.
   */
  async join(id: GroupId, others: readonly string[], owner: string, since: number, guard: CarryGuard): Promise<void> {
    const { carrier, cleanUp, directory, history, members } = this.#context;
    const set = members();
    const before = directory.get(id)?.truth;
    if (set === undefined || (wholeSince(before, owner) !== undefined && (before?.at ?? 0) >= since)) return;
    const at = Date.now();
    // Who can be joined must not change on the way: what was left alone must not be taken for joined.
    const joinable = this.#joinable(set);
    const from = others.filter((other) => joinable.has(other));
    const holders = directory.holdersOf(id);
    const carriage = this.#carriage(id, from, owner, set, joinable);
    const { outcome, read } = await carrier.carry(carriage, guard);
    if (outcome !== "done") return;
    const found = directory.holdersOf(id);
    // Another router has pushed there, by a view of its own.
    if (found.some((address) => !holders.includes(address))) history.renew(at);
    // What is on members out of reach is not needed where all of it was replaced or deleted before.
    const wasWhole = [undefined, owner, ...from].includes(before?.address);
    // Somebody may have seen a copy meanwhile on a member that was not looked at.
    const joined = new Set([...from, ...carriage.elsewhere].filter((other) => joinable.has(other)));
    const isWhole = [...others, ...found].every((other) => other === owner || !set.has(other) || joined.has(other));
    const wholeAt = isWhole ? at : wasWhole ? before?.wholeAt : undefined;
    // Those that were looked at have no copy, or are among the holders.
    const left = others.filter((other) => !joinable.has(other));
    // A deletion stands until a push is acknowledged: members out of reach may have what was deleted.
    if (!isDeletion(before)) directory.acknowledged(id, { address: owner, wholeAt, at }, left);
    if (wholeAt === undefined) return;
    const old = [...read].filter(([address]) => joined.has(address));
    await Promise.all(old.map(([address, time]) => cleanUp.remove(id, address, "moved", time, guard.signal)));
  }

  /**
   * Carries to the copy that counts what it lacks. Returns the push times of all copies, by member and its clock, when that has all
   * there is then; undefined: it may not.
   */
  async complete(
    id: GroupId,
    to: string,
    from: readonly string[],
    guard: CarryGuard,
  ): Promise<ReadonlyMap<string, number> | undefined> {
    const { carrier, members } = this.#context;
    const set = members();
    if (set === undefined) return undefined;
    const carriage = { ...this.#carriage(id, from, to, set, this.#joinable(set)), isBehindPush: true };
    const { outcome, read } = await carrier.carry(carriage, guard);
    return outcome === "done" ? read : undefined;
  }

  /**
   * Whether copies there can be joined with others. On a member that has just come back, other routers may be about to delete what
   * they know to be gone, and that would come back with the push.
   */
  canJoin(set: MemberSet, address: string): boolean {
    const member = set.get(address);
    if (member === undefined || member.state === "down") return false;
    return member.state !== "joining" || Date.now() - member.since > this.#context.noticeMs();
  }

  /** Whether routers may have different views, so that another one may have pushed elsewhere what this one had joined. */
  #mayBeElsewhere(set: MemberSet): boolean {
    const { history, isLookCheap } = this.#context;
    const isAnyReturning = set.members.some(({ state }) => state === "joining");
    return isLookCheap() && (isAnyReturning || !history.isEmpty(Date.now()));
  }

  #joinable(set: MemberSet): ReadonlySet<string> {
    return new Set(set.members.map(({ address }) => address).filter((address) => this.canJoin(set, address)));
  }

  #carriage(id: GroupId, from: readonly string[], to: string, set: MemberSet, joinable: ReadonlySet<string>): Carriage {
    const others = set.members.filter(({ address, state }) => {
      return state !== "down" && address !== to && !from.includes(address);
    });
    const returning = others.filter(({ address }) => !joinable.has(address));
    const elsewhere = this.#context.isLookCheap() ? others : returning;
    return {
      id,
      from,
      to,
      elsewhere: elsewhere.map(({ address }) => address),
      returning: new Map(returning.map(({ address, since }) => [address, since])),
      isBehindPush: false,
      quietS: 0,
    };
  }
}

/** Since when nothing that is elsewhere is needed at the member; undefined: something may be. */
export function wholeSince(truth: Truth | undefined, address: string): number | undefined {
  return isDeletion(truth) || truth?.address === address ? truth?.wholeAt : undefined;
}
