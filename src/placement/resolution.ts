import { canonicalPathOf, type GroupId } from "../sharding/group-id.ts";
import type { ClusterLister, FoundCopies, FoundCopy } from "./cluster-lister.ts";
import { type CopyChoice, chooseCopy, type SeenCopy } from "./copy-choice.ts";
import type { CopyRemoval, Removal } from "./copy-removal.ts";
import { type Directory, isDeletion, type Truth } from "./directory.ts";
import type { Doubts } from "./doubts.ts";
import { ownerOf } from "./group-owner.ts";
import { latestMs } from "./member-clocks.ts";
import type { PlacementSurroundings } from "./placement-surroundings.ts";
import type { PushJournal } from "./push-journal.ts";

export interface ResolutionContext extends Pick<PlacementSurroundings, "members" | "slices"> {
  readonly directory: Directory;
  readonly doubts: Doubts;
  readonly lister: ClusterLister;
  readonly removal: CopyRemoval;
  /** Open from a look to the last removal that follows from it. */
  readonly journal: PushJournal;
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
/**
 * So it is with what the copy that counts lacks, and is to be given. A stand-in takes no more pushes when the member has been back for
 * so long that every router has noticed.
 */
const QUIET_AT_STAND_IN_S = 10;
/** Where pushes go by rights, the next one may be the one that the copy lacks. It would have to come in the milliseconds between. */
const QUIET_TO_CARRY_S = 20;
/** So long another router gets to remove what it knows to be stale before push times alone decide. */
const OTHERS_FIRST_MS = 10_000;
/** And to join copies with different families: whether one was replaced by the other or goes with it, only who saw the pushes knows. */
const OTHERS_FIRST_TO_JOIN_MS = 30_000;
const NO_FAMILIES = 0;
/** When a group that was not seen contested any more is forgotten: after longer than there is between two looks (`Auditor`). */
const CONTEST_MEMORY_MS = 300_000;

/**
 * Finds out by looking which copies of groups count, and deletes the others. It looks right before it deletes, since another
 * router may have pushed or cleaned up meanwhile. Every step can be repeated, and be taken by several routers at once.
 */
export class Resolution {
  readonly #context: ResolutionContext;
  /** Groups for which push times have to decide, since when, and when that was last seen. */
  readonly #contested = new Map<GroupId, { readonly since: number; readonly seenAt: number }>();

  constructor(context: ResolutionContext) {
    this.#context = context;
  }

  /** Looks at these groups on all members within reach, and removes what is stale. Returns those to be looked at again. */
  async resolve(ids: ReadonlySet<GroupId>, signal: AbortSignal): Promise<ReadonlySet<GroupId>> {
    return await this.#context.journal.during(() => this.#resolve(ids, signal));
  }

  async #resolve(ids: ReadonlySet<GroupId>, signal: AbortSignal): Promise<ReadonlySet<GroupId>> {
    const { lister, members, slices, removal } = this.#context;
    const within = (members()?.members ?? []).filter(({ state }) => state !== "down");
    const reachable = within.map(({ address }) => address);
    await lister.measureClocks(reachable, signal);
    const found = await lister.find(reachable, (id) => ids.has(id), signal);
    await this.#record(ids, found);
    const { removals, undecided } = await this.examine(found);
    // A member on its way back is being cleaned already. An audit follows when it is in service.
    const joining = new Set(within.flatMap(({ state, address }) => (state === "joining" ? [address] : [])));
    const ours = removals.filter(({ address }) => !joining.has(address));
    const { failed, late } = await removal.removeAll(ours, found, signal);
    const again = new Set(failed);
    for (const ids of [undecided, late]) await slices.visit(ids, (id) => again.add(id));
    return again;
  }

  /** What follows from what a look found. */
  async examine(found: FoundCopies): Promise<Findings> {
    const removals: Removal[] = [];
    const undecided = new Set<GroupId>();
    await this.#forgetContests(found.startedAt);
    await this.#context.slices.visit(found.copies, ([id, copies]) => {
      const verdict = this.#judge(id, copies, found);
      if (verdict === "undecided") undecided.add(id);
      else removals.push(...verdict);
    });
    return { removals, undecided };
  }

  #judge(
    id: GroupId,
    copies: readonly FoundCopy[],
    { listed, startedAt }: FoundCopies,
  ): readonly Removal[] | "undecided" {
    const { directory, doubts } = this.#context;
    const truth = directory.get(id)?.truth;
    if (copies.length === 1) this.#contested.delete(id);
    if (copies.length === 1 && truth === undefined) return [];
    const truthIsOutOfReach = truth?.address !== undefined && !listed.has(truth.address);
    const weighed = copies.map((copy) => doubts.weigh(id, copy));
    const owner = ownerOf(this.#context.members(), id);
    const choice = chooseCopy(weighed, { truth, truthIsOutOfReach, owner });
    if (choice.stale.length === 0) return [];
    if (this.#mustWait(id, weighed, choice, startedAt)) return "undecided";
    const isPieced = mayLack(choice, copies, truth);
    // What only an older copy has can be carried to the newest once that is within reach, and not before.
    if (isPieced && choice.keep === undefined) return "undecided";
    const reason = choice.by === "known" && truth?.address === undefined ? "deleted" : "stale";
    const carriage = isPieced && choice.keep !== undefined ? this.#carriage(id, choice.stale, choice.keep) : undefined;
    const stale = copies.filter(({ address }) => choice.stale.includes(address));
    return stale.map(({ address, pushTime }) => ({ id, address, pushTime, carriage, reason }));
  }

  #carriage(id: GroupId, from: readonly string[], to: string): Removal["carriage"] {
    return { from, to, quietS: this.#mayTakePushes(id, to) ? QUIET_TO_CARRY_S : QUIET_AT_STAND_IN_S };
  }

  /** Whether it is too early to act on the choice. A doubtful copy is never waited for: it is not where pushes go. */
  #mustWait(id: GroupId, copies: readonly (FoundCopy & SeenCopy)[], choice: CopyChoice, now: number): boolean {
    const isBusy = copies.some(({ address, pushedAt, doubtedAt }) => {
      if (!choice.stale.includes(address) || doubtedAt !== undefined) return false;
      const mayGoOn = choice.by !== "known" && this.#mayTakePushes(id, address);
      return now / 1000 - pushedAt.seconds < (mayGoOn ? QUIET_AT_OWNER_S : QUIET_S);
    });
    if (choice.by === "known") return isBusy;
    const since = this.#contested.get(id)?.since ?? now;
    this.#contested.set(id, { since, seenAt: now });
    return isBusy || now - since < (haveSameFamilies(choice, copies) ? OTHERS_FIRST_MS : OTHERS_FIRST_TO_JOIN_MS);
  }

  /** Whether the member owns the group, or would if it were in service, or is not a member yet. */
  #mayTakePushes(id: GroupId, address: string): boolean {
    const set = this.#context.members();
    const owner = ownerOf(set, id);
    if (set === undefined || !set.has(address) || owner === address) return true;
    return [...set.absenteesBefore(owner ?? "", canonicalPathOf(id))].includes(address);
  }

  /** Brings the directory up to what was seen of these groups. */
  async #record(ids: ReadonlySet<GroupId>, { copies, listed, startedAt }: FoundCopies): Promise<void> {
    const { directory, slices } = this.#context;
    await slices.visit(ids, (id) => {
      const seen = copies.get(id) ?? [];
      for (const { address } of seen) directory.seen(id, address, startedAt);
      for (const { address, doubtedAt, since } of directory.get(id)?.holders ?? []) {
        const isAbsent = !seen.some((copy) => copy.address === address) && listed.has(address);
        if (isAbsent && doubtedAt === undefined && since < startedAt) directory.forget(id, address);
      }
      directory.dropIfAtHome(id, ownerOf(this.#context.members(), id));
    });
  }

  async #forgetContests(now: number): Promise<void> {
    await this.#context.slices.visit(this.#contested, ([id, { seenAt }]) => {
      if (now - seenAt > CONTEST_MEMORY_MS) this.#contested.delete(id);
    });
  }
}

/** Whether stale copies have the families of the one that counts, or none, as after a rejected push. */
function haveSameFamilies({ keep, stale }: CopyChoice, copies: readonly FoundCopy[]): boolean {
  const kept = copies.find(({ address }) => address === keep)?.familiesHash;
  const others = copies.filter(({ address }) => stale.includes(address));
  return others.every(({ familiesHash }) => familiesHash === kept || familiesHash === NO_FAMILIES);
}

/** Whether the copy that counts may lack families that others have. Nothing of what was deleted may come back. */
function mayLack(choice: CopyChoice, copies: readonly FoundCopy[], truth: Truth | undefined): boolean {
  if (isDeletion(truth)) return false;
  if (choice.by !== "known") return !haveSameFamilies(choice, copies) || copies.some((copy) => copy.isPieced);
  const { wholeAt } = truth ?? {};
  const mayBeLater = ({ pushedAt }: FoundCopy) => wholeAt === undefined || latestMs(pushedAt) >= wholeAt;
  return copies.some((copy) => copy.address !== choice.keep && mayBeLater(copy));
}
