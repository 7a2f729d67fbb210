import { type GroupId, keyOfGroupId } from "../sharding/group-id.ts";
import { CarryGuard, type CarryOutcome, type CleanUp } from "./clean-up.ts";
import type { ClusterLister, FoundCopies, FoundCopy } from "./cluster-lister.ts";
import { type CopyChoice, chooseCopy } from "./copy-choice.ts";
import { type Directory, type DirectoryEntry, isDeletion, type Truth } from "./directory.ts";
import { ownerOf } from "./group-owner.ts";
import type { KeyGates } from "./key-gates.ts";
import type { Pace } from "./pace.ts";
import type { PlacementSurroundings } from "./placement-surroundings.ts";

import type { PushJournal } from "./push-journal.ts";

export interface ResolutionContext extends Pick<PlacementSurroundings, "members" | "isInFlight"> {
  readonly directory: Directory;
  readonly lister: ClusterLister;
  readonly cleanUp: CleanUp;
  readonly gates: KeyGates;
  readonly pace: Pace;
  /** Open from a look to the last removal that follows from it. */
  readonly journal: PushJournal;
}

/** A copy that is to go. */
export interface Removal {
  readonly id: GroupId;
  readonly address: string;
  /** The copy that was seen, by the member's clock. */
  readonly pushTime: number;
  /** The member that gets what it lacks before; undefined: it lacks nothing. */
  readonly carryTo: string | undefined;
  readonly reason: "stale" | "deleted" | "expired";
}

/** What became of removals. The others were left: their copies are still needed. */
interface RemovalOutcomes {
  readonly done: number;
  readonly failed: ReadonlySet<GroupId>;
  /** Those for which the look had become too old. */
  readonly late: ReadonlySet<GroupId>;
}

/** What is to be done about some groups. */
export interface Findings {
  readonly removals: readonly Removal[];
  /** Groups with several copies of which it cannot be said yet which counts. To be looked at again. */
  readonly undecided: ReadonlySet<GroupId>;
}

/**
 * A copy must not have been pushed to for so many seconds before it is removed. Between the look and the deletion another router,
 * or a client that was redirected, may push to it, which is the likelier the more recently one did. Where pushes go by
 * rights, they go on; there the next one replaces the copy and removes the others, and only a job that is through needs this.
 */
const QUIET_S = 2;
const QUIET_AT_OWNER_S = 60;
/** So long another router gets to remove what it knows to be stale before push times alone decide. */
const OTHERS_FIRST_MS = 10_000;
const MAX_CARRY_MS = 2_000;
/**
 * Nothing is deleted on the strength of a look that ended longer ago. Another router may have cleaned the member, taken it into
 * service and pushed to it meanwhile; it waits for longer than this before it does (`admit`).
 */
const FRESH_MS = 1_000;
/** When the last clean-up that was seen contested is forgotten. */
const CONTEST_MEMORY_MS = 120_000;

/**
 * Finds out by looking which copies of groups count, and deletes the others. It looks right before it deletes, since another
 * router may have pushed or cleaned up meanwhile. Every step can be repeated, and be taken by several routers at once.
 */
export class Resolution {
  readonly #context: ResolutionContext;
  /** Groups for which push times have to decide, and since when. */
  readonly #contested = new Map<GroupId, number>();

  constructor(context: ResolutionContext) {
    this.#context = context;
  }

  /** Looks at these groups on all members within reach, and removes what is stale. Returns those to be looked at again. */
  async resolve(ids: ReadonlySet<GroupId>, signal: AbortSignal): Promise<ReadonlySet<GroupId>> {
    return await this.#context.journal.during(() => this.#resolve(ids, signal));
  }

  async #resolve(ids: ReadonlySet<GroupId>, signal: AbortSignal): Promise<ReadonlySet<GroupId>> {
    const { lister } = this.#context;
    const reachable = this.#reachable();
    await lister.measureClocks(reachable, signal);
    const startedAt = Date.now();
    const found = await lister.find(reachable, (id) => ids.has(id), signal);
    this.#record(ids, found, startedAt);
    const { removals, undecided } = this.examine(found, startedAt);
    const { failed, late } = await this.removeAll(removals, startedAt, signal);
    return new Set([...undecided, ...failed, ...late]);
  }

  /** What follows from the copies that were found by a look that began at `startedAt`. */
  examine(found: FoundCopies, startedAt: number): Findings {
    const removals: Removal[] = [];
    const undecided = new Set<GroupId>();
    this.#forgetContests(startedAt);
    for (const [id, copies] of found.copies) {
      const verdict = this.#judge(id, copies, found.unreadable, startedAt);
      if (verdict === "undecided") undecided.add(id);
      else removals.push(...verdict);
    }
    return { removals, undecided };
  }

  /**
   * Takes the copies away, unless a push of the group has come since the look, or what they hold cannot be carried over while
   * others may push. Does as much as can be done within a second: then others may have changed what was seen, and it takes
   * another look.
   */
  async removeAll(removals: readonly Removal[], lookedAt: number, signal: AbortSignal): Promise<RemovalOutcomes> {
    const outcomes = { done: 0, failed: new Set<GroupId>(), late: new Set<GroupId>() };
    const until = Date.now() + FRESH_MS;
    const memberOf = ({ address }: Removal) => address;
    const now = this.#context.pace.withinASecond(removals, memberOf);
    const taken = new Set(now);
    for (const removal of removals) if (!taken.has(removal)) outcomes.late.add(removal.id);
    await this.#context.pace.each(now, memberOf, signal, async (removal) => {
      const outcome = Date.now() > until ? "late" : await this.#remove(removal, lookedAt);
      if (outcome === "done") outcomes.done++;
      else if (outcome !== "left") outcomes[outcome].add(removal.id);
    });
    return outcomes;
  }

  #judge(
    id: GroupId,
    copies: readonly FoundCopy[],
    unreadable: ReadonlySet<string>,
    startedAt: number,
  ): readonly Removal[] | "undecided" {
    const entry = this.#context.directory.get(id);
    const truth = entry?.truth;
    if (copies.length === 1 && truth === undefined) return [];
    const truthIsOutOfReach = truth?.address !== undefined && this.#isOutOfReach(truth.address, unreadable);
    const choice = chooseCopy(
      copies.map((copy) => ({ ...copy, doubtedAt: doubtOf(entry, copy.address) })),
      { truth, truthIsOutOfReach, owner: ownerOf(this.#context.members(), id) },
    );
    if (choice.stale.length === 0) return [];
    if (this.#mustWait(id, copies, choice, startedAt)) return "undecided";
    const isPieced = mayLack(choice, copies, truth);
    // What only an older copy has can be carried to the newest once that is within reach, and not before.
    if (isPieced && choice.keep === undefined) return "undecided";
    const reason = choice.by === "known" && truth?.address === undefined ? "deleted" : "stale";
    const carryTo = isPieced ? choice.keep : undefined;
    const stale = copies.filter(({ address }) => choice.stale.includes(address));
    return stale.map(({ address, pushTime }) => ({ id, address, pushTime, carryTo, reason }));
  }

  /** Whether it is too early to act on the choice. A doubtful copy is never waited for: it is not where pushes go. */
  #mustWait(id: GroupId, copies: readonly FoundCopy[], choice: CopyChoice, now: number): boolean {
    const entry = this.#context.directory.get(id);
    const isBusy = copies.some(({ address, pushedAt }) => {
      if (!choice.stale.includes(address) || doubtOf(entry, address) !== undefined) return false;
      const mayGoOn = choice.by !== "known" && this.#mayTakePushes(id, address);
      return now / 1000 - pushedAt.seconds < (mayGoOn ? QUIET_AT_OWNER_S : QUIET_S);
    });
    if (choice.by === "known") return isBusy;
    const since = this.#contested.get(id) ?? now;
    this.#contested.set(id, since);
    return isBusy || now - since < OTHERS_FIRST_MS;
  }

  /** Whether the member owns the group, or would if it were in service, or is not a member yet. */
  #mayTakePushes(id: GroupId, address: string): boolean {
    const set = this.#context.members();
    const owner = ownerOf(set, id);
    if (set === undefined || !set.has(address) || owner === address) return true;
    return [...set.absenteesBefore(owner ?? "", keyOfGroupId(id).canonicalPath)].includes(address);
  }

  async #remove({ id, address, pushTime, carryTo, reason }: Removal, lookedAt: number): Promise<CarryOutcome> {
    const { gates, cleanUp, directory, journal, isInFlight } = this.#context;
    return await gates.close(id, async () => {
      // A push that is on its way cleans up after itself, and what was seen before it no longer holds.
      const isOutdated = (directory.get(id)?.truth?.at ?? 0) > lookedAt;
      if (isOutdated || journal.has(id) || isInFlight(id)) return "failed";
      if (carryTo !== undefined) {
        const outcome = await carryInTime(cleanUp, id, address, carryTo);
        // The next push finds both copies in the directory, and joins them with nobody in between.
        if (outcome !== "done") return outcome;
      }
      const isGone = await cleanUp.remove(id, address, reason, pushTime);
      directory.dropIfAtHome(id, ownerOf(this.#context.members(), id));
      return isGone ? "done" : "failed";
    });
  }

  /** Brings the directory up to what was seen of these groups. */
  #record(ids: ReadonlySet<GroupId>, { copies, unreadable }: FoundCopies, startedAt: number): void {
    const { directory } = this.#context;
    for (const id of ids) {
      const seen = copies.get(id) ?? [];
      for (const { address } of seen) directory.seen(id, address, startedAt);
      for (const { address, doubtedAt, since } of directory.get(id)?.holders ?? []) {
        const isAbsent = !seen.some((copy) => copy.address === address) && !this.#isOutOfReach(address, unreadable);
        if (isAbsent && doubtedAt === undefined && since < startedAt) directory.forget(id, address);
      }
      directory.dropIfAtHome(id, ownerOf(this.#context.members(), id));
    }
  }

  #forgetContests(now: number): void {
    for (const [id, since] of this.#contested) {
      if (now - since > CONTEST_MEMORY_MS) this.#contested.delete(id);
    }
  }

  #reachable(): readonly string[] {
    const members = this.#context.members()?.members ?? [];
    return members.filter(({ state }) => state !== "down").map(({ address }) => address);
  }

  #isOutOfReach(address: string, unreadable: ReadonlySet<string>): boolean {
    return unreadable.has(address) || !this.#reachable().includes(address);
  }
}

/** A push of the group waits meanwhile, so this must not take long. */
async function carryInTime(cleanUp: CleanUp, id: GroupId, from: string, to: string): Promise<CarryOutcome> {
  const guard = new CarryGuard();
  const timer = setTimeout(() => guard.cancel(), MAX_CARRY_MS);
  try {
    return await cleanUp.carry(id, [from], to, QUIET_AT_OWNER_S, guard);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether the copy that counts may lack families that others have. Nothing of what was deleted may come back. */
function mayLack(choice: CopyChoice, copies: readonly FoundCopy[], truth: Truth | undefined): boolean {
  if (isDeletion(truth)) return false;
  return choice.by === "known" ? truth?.isWhole === false : copies.some((copy) => copy.isPieced);
}

function doubtOf(entry: DirectoryEntry | undefined, address: string): number | undefined {
  return entry?.holders.find((holder) => holder.address === address)?.doubtedAt;
}
