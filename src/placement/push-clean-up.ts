import type { MemberSet } from "../membership/member-set.ts";
import { type GroupId, groupIdOf } from "../sharding/group-id.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";
import { CarryGuard } from "./carry-guard.ts";
import type { CleanUp } from "./clean-up.ts";
import { type CopyJoin, wholeSince } from "./copy-join.ts";
import type { Directory, DirectoryEntry, Truth } from "./directory.ts";
import { ownerOf } from "./group-owner.ts";
import type { KeyGates } from "./key-gates.ts";
import type { MemberClocks } from "./member-clocks.ts";
import type { ViewHistory } from "./view-history.ts";

export interface PushCleanUpContext {
  readonly members: () => MemberSet | undefined;
  readonly directory: Directory;
  readonly history: ViewHistory;
  readonly gates: KeyGates;
  readonly cleanUp: CleanUp;
  readonly copyJoin: CopyJoin;
  readonly clocks: MemberClocks;
  /** Whether all members can be looked at with each POST, so few groups are there. */
  readonly isLookCheap: () => boolean;
  /** Whether members were audited since they last changed. */
  readonly isAudited: () => boolean;
  /** Told of a group of which a copy was left that should be gone. */
  readonly onLeft: (id: GroupId) => void;
  /** Whether a push of this group is on its way to a member, which has not answered yet. */
  readonly isInFlight: (id: GroupId) => boolean;
}

/** A client waits so long for what is to be done before and behind its push; a member that takes longer is cleaned behind its back. */
const MAX_WAIT_MS = 1_000;
/** So long it waits for copies to be joined where that should be a matter of milliseconds: unjoined, families go back for a while. */
const MAX_JOIN_WAIT_MS = 3_000;
/** In a panic, owners that look down may answer or not. What is not joined before the push is joined behind it. */
const MAX_PANIC_WAIT_MS = 300;
const IN_FLIGHT_POLL_MS = 5;

/**
 * Cleans up behind pushes: when a member has acknowledged one, the copies elsewhere go, and the client is answered when they are
 * gone. A client that waits for its answers so finds one copy only, whichever routers its pushes take and whatever these
 * believe: when it pushes again, the deletions behind its last push are done, and cannot hit what it pushes next.
 */
export class PushCleanUp {
  readonly #context: PushCleanUpContext;

  constructor(context: PushCleanUpContext) {
    this.#context = context;
  }

  /** A member answered 2xx to a push. Resolves when the client can be told; undefined: at once. Never rejects. */
  acknowledged(key: GroupingKey, method: string, address: string): Promise<void> | undefined {
    const set = this.#context.members();
    if (set === undefined) return undefined;
    if (method === "DELETE") return this.#afterDeletion(key, address, set);
    return this.#isQuiet(set) ? undefined : this.#afterPush(key, method === "PUT", address, set);
  }

  /**
   * A push has to wait until this resolves; undefined: it can go ahead. Waits for whoever works on the group. And before a POST,
   * what copies elsewhere hold is carried to the owner, so that the copy with the newest push never lacks what an older one has.
   * Who has waited must ask `gates` before it goes ahead. Never rejects.
   */
  beforePush(key: GroupingKey, method: string): Promise<void> | undefined {
    const { members, gates, copyJoin, isLookCheap } = this.#context;
    const set = members();
    if (set === undefined || (!gates.isAnyClosed && this.#isQuiet(set))) return undefined;
    const id = groupIdOf(key);
    const owner = ownerOf(set, id);
    if (method !== "POST" || owner === undefined) return gates.whenOpen(id);
    const others = this.#others(id, key, owner, set, false);
    if (!copyJoin.isNeeded(id, owner, others, set)) return gates.whenOpen(id);
    const arrivedAt = Date.now();
    const join = async (guard: CarryGuard) => {
      // What they bring must be there before anybody looks what is missing.
      if (await this.#areOthersAnswered(id)) await copyJoin.join(id, others, owner, arrivedAt, guard);
    };
    const maxWaitMs = isLookCheap() ? MAX_JOIN_WAIT_MS : MAX_WAIT_MS;
    return this.#workOn(id, join, set.isWithinReach(owner) ? maxWaitMs : MAX_PANIC_WAIT_MS);
  }

  /** Whether no group can have a copy anywhere but at its owner, as far as this router knows. */
  #isQuiet(set: MemberSet): boolean {
    const { directory, history } = this.#context;
    return directory.size === 0 && !set.hasAbsentees && history.isEmpty(Date.now());
  }

  #afterPush(key: GroupingKey, isPut: boolean, address: string, set: MemberSet): Promise<void> | undefined {
    const { directory, copyJoin } = this.#context;
    const id = groupIdOf(key);
    const entry = directory.get(id);
    const others = isPut || !hasJustJoined(entry, address) ? this.#others(id, key, address, set, isPut) : [];
    if (others.length === 0 && entry === undefined) return undefined;
    const at = Date.now();
    const truth = { address, wholeAt: isPut ? at : wholeSince(entry?.truth, address), at };
    directory.acknowledged(id, truth, others);
    const within = directory.holdersOf(id).filter((other) => {
      return other !== address && (isPut ? set.isWithinReach(other) : copyJoin.canJoin(set, other));
    });
    if (within.length > 0) {
      return this.#cleanBehind(id, truth, (guard) =>
        isPut ? this.#removeOlder(id, within, at, guard) : this.#joinAndRemove(id, within, address, guard),
      );
    }
    directory.dropIfAtHome(id, set.ownerOf(key.canonicalPath)?.address);
    return undefined;
  }

  #afterDeletion(key: GroupingKey, address: string, set: MemberSet): Promise<void> | undefined {
    const { directory } = this.#context;
    const id = groupIdOf(key);
    // Also those that have left the cluster: they may come back with their file.
    const others = new Set([...set.members.map((member) => member.address), ...directory.holdersOf(id)]);
    others.delete(address);
    const truth = directory.deleted(id, Date.now(), others);
    const within = [...others].filter((other) => set.isWithinReach(other));
    if (within.length === 0) return undefined;
    return this.#cleanBehind(id, truth, (guard) => this.#removeOlder(id, within, truth.at, guard));
  }

  /**
   * Members that hold, or may hold, an older copy: those known to, the owners under recent views, and those that would own the
   * group if they were in service.
   */
  #others(id: GroupId, key: GroupingKey, address: string, set: MemberSet, isPut: boolean): readonly string[] {
    const { directory, history, isLookCheap, isAudited } = this.#context;
    const others = new Set(directory.holdersOf(id));
    for (const absentee of set.absenteesBefore(address, key.canonicalPath)) others.add(absentee);
    // To delete what may not be there costs little; to look for families to carry over costs a listing.
    if (isPut || isLookCheap() || !isAudited()) {
      for (const owner of history.ownersOf(key.canonicalPath)) others.add(owner);
      const owner = set.ownerOf(key.canonicalPath);
      if (owner !== undefined) others.add(owner.address);
    }
    others.delete(address);
    return [...others].filter((other) => set.has(other));
  }

  /** Cleans up behind what was acknowledged. `remove`: whether the copies that have to go are gone. */
  #cleanBehind(id: GroupId, truth: Truth, remove: (guard: CarryGuard) => Promise<boolean>): Promise<void> {
    const { directory, onLeft, members } = this.#context;
    return this.#workOn(id, async (guard) => {
      // Of pushes at the same time to different members, the one that is acknowledged last removes the others' copies. If each
      // did, none would be left.
      const isLatest = (await this.#areOthersAnswered(id)) && directory.get(id)?.truth === truth;
      const isClean = isLatest && !guard.signal.aborted && (await remove(guard));
      if (isClean) directory.dropIfAtHome(id, ownerOf(members(), id));
      else onLeft(id);
    });
  }

  /** Removes copies without a look: what is newer than `at` came by another router, and a look has to tell. */
  async #removeOlder(id: GroupId, addresses: readonly string[], at: number, guard: CarryGuard): Promise<boolean> {
    const { clocks } = this.#context;
    return await this.#removeAll(id, addresses, (address) => clocks.latestMemberSeconds(address, at), guard);
  }

  /** Carries to the member that has just been pushed to what it lacks, and removes the copies that were read for that. */
  async #joinAndRemove(id: GroupId, addresses: readonly string[], to: string, guard: CarryGuard): Promise<boolean> {
    const read = await this.#context.copyJoin.complete(id, to, addresses, guard);
    if (read === undefined || guard.signal.aborted) return false;
    const held = this.#forgetAbsent(id, addresses, read);
    return await this.#removeAll(id, held, (address) => read.get(address) ?? 0, guard);
  }

  /** Those that were read to have a copy, or may still apply a push that was given up: a deletion goes behind that. */
  #forgetAbsent(id: GroupId, addresses: readonly string[], read: ReadonlyMap<string, number>): readonly string[] {
    const { directory } = this.#context;
    const held = addresses.filter((address) => read.has(address) || directory.doubtedAt(id, address) !== undefined);
    for (const address of addresses) if (!held.includes(address)) directory.forget(id, address);
    return held;
  }

  /** Whether all of them are gone, but for what members can tell to have been pushed after `pushTimeAt`, by their clocks. */
  async #removeAll(
    id: GroupId,
    addresses: readonly string[],
    pushTimeAt: (address: string) => number,
    { signal }: CarryGuard,
  ): Promise<boolean> {
    const { cleanUp } = this.#context;
    const remove = (address: string) => cleanUp.remove(id, address, "moved", pushTimeAt(address), signal);
    return !(await Promise.all(addresses.map(remove))).includes(false);
  }

  /** Waits for pushes of the group that were on their way when the gate closed. False: they take too long. */
  async #areOthersAnswered(id: GroupId): Promise<boolean> {
    const { isInFlight } = this.#context;
    const until = performance.now() + MAX_WAIT_MS;
    while (isInFlight(id) && performance.now() < until) await Bun.sleep(IN_FLIGHT_POLL_MS);
    return !isInFlight(id);
  }

  /**
   * Does it with the gate closed. Resolves when it is done, or has taken too long to be waited for; then nothing is carried any
   * more, since the client may push again, through another router, which knows of no gate.
   */
  async #workOn(id: GroupId, work: (guard: CarryGuard) => Promise<void>, maxWaitMs = MAX_WAIT_MS): Promise<void> {
    const guard = new CarryGuard();
    const done = this.#context.gates.close(id, () => work(guard));
    const timedOut = Promise.withResolvers<void>();
    const timer = setTimeout(timedOut.resolve, maxWaitMs);
    await Promise.race([done, timedOut.promise]);
    clearTimeout(timer);
    await guard.cancel();
  }
}

/** Whether copies were joined at the member for the push that it acknowledged: then nothing is elsewhere that nobody knows of. */
function hasJustJoined(entry: DirectoryEntry | undefined, address: string): boolean {
  const { truth } = entry ?? {};
  return truth?.address === address && truth.wholeAt === truth.at;
}
