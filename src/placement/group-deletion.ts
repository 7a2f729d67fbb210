import type { MemberSet } from "../membership/member-set.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { ClusterLister, FoundCopies, FoundCopy } from "./cluster-lister.ts";
import type { CopyRemoval, Removal } from "./copy-removal.ts";
import { type Directory, isDeletion } from "./directory.ts";
import { ownerOf } from "./group-owner.ts";
import { latestMs } from "./member-clocks.ts";
import type { PlacementOptions } from "./placement-surroundings.ts";
import type { PushJournal } from "./push-journal.ts";

export interface GroupDeletionContext {
  readonly members: () => MemberSet | undefined;
  readonly isInFlight: (id: GroupId) => boolean;
  readonly options: () => PlacementOptions;
  readonly directory: Directory;
  readonly lister: ClusterLister;
  readonly removal: CopyRemoval;
  readonly journal: PushJournal;
}

/** What was there when somebody decided which groups are to be deleted. */
export interface SeenGroups {
  /** When the look at them began, in milliseconds by this router's clock. */
  readonly listedAt: number;
  /** By the addresses of all members that could be listed. */
  readonly held: ReadonlyMap<string, unknown>;
  /** `pushTime` is by the member's clock. */
  copiesOf(id: GroupId): readonly { readonly address: string; readonly pushTime: number }[];
}

/**
 * Why a group was not deleted. `pushed`: somebody has pushed to it since it was seen, or is about to, so that it is another one
 * than was meant, and stays. `unconfirmed`: a member has not said that its copy is gone; it is asked again in the background.
 */
export type NotDeleted = "pushed" | "unconfirmed";

/**
 * Deletes groups as they were seen, a second's worth of them behind each look, so that what is pushed meanwhile stays, whichever way
 * it comes and wherever it goes. Members that could not be listed are cleaned when they are within reach. Returns what was not
 * deleted. Rejects when the signal aborts.
 */
export async function deleteGroups(
  context: GroupDeletionContext,
  ids: readonly GroupId[],
  seen: SeenGroups,
  signal: AbortSignal,
): Promise<ReadonlyMap<GroupId, NotDeleted>> {
  const deletion = new GroupDeletion(context, seen);
  let left: ReadonlySet<GroupId> = new Set();
  for (let next = 0; next < ids.length || left.size > 0; ) {
    const batch = new Set(left);
    next = fillBatch(batch, ids, next, seen, context.options().cleanUpRate);
    left = await context.journal.during(() => deletion.deleteBatch(batch, signal));
  }
  return deletion.notDeleted;
}

/** Adds groups until a member has so many of them. Returns the index of the first that is left. */
function fillBatch(
  batch: Set<GroupId>,
  ids: readonly GroupId[],
  start: number,
  seen: SeenGroups,
  maxCopies: number,
): number {
  const copies = new Map<string, number>();
  const add = (id: GroupId): boolean => {
    let isFull = false;
    for (const { address } of seen.copiesOf(id)) {
      const count = (copies.get(address) ?? 0) + 1;
      copies.set(address, count);
      isFull ||= count >= maxCopies;
    }
    return isFull;
  };
  let isFull = [...batch].map(add).includes(true);
  let next = start;
  for (; next < ids.length && !isFull; next++) {
    const id = ids[next] as GroupId;
    batch.add(id);
    isFull = add(id);
  }
  return next;
}

class GroupDeletion {
  readonly notDeleted = new Map<GroupId, NotDeleted>();
  readonly #context: GroupDeletionContext;
  readonly #seen: SeenGroups;
  /** Groups that a member would not delete. */
  readonly #refused = new Set<GroupId>();
  /** Members that could not be listed then, nor since. They are not asked with each batch: some hang until their time is up. */
  readonly #unreadable = new Set<string>();

  constructor(context: GroupDeletionContext, seen: SeenGroups) {
    this.#context = context;
    this.#seen = seen;
  }

  /** One look, and what is deleted behind it. Returns the groups for which it takes another look. */
  async deleteBatch(batch: ReadonlySet<GroupId>, signal: AbortSignal): Promise<ReadonlySet<GroupId>> {
    const { lister, removal } = this.#context;
    const holders = new Set([...batch].flatMap((id) => this.#holdersOf(id))).difference(this.#unreadable);
    const unseen = [...holders].filter((address) => !this.#seen.held.has(address));
    await lister.measureClocks(unseen, signal);
    const found = await lister.find([...holders], (id) => batch.has(id), signal);
    for (const address of unseen) if (!found.listed.has(address)) this.#unreadable.add(address);
    const removals = [...batch].flatMap((id) => this.#removalsOf(id, found));
    const { failed, late } = await removal.removeAll(removals, found, signal);
    const left = new Set(late);
    for (const id of failed) {
      // Whether the member is in trouble, or spares what is newer than it was told, the next look shows.
      if (this.#isBeingPushed(id, found.startedAt)) this.notDeleted.set(id, "pushed");
      else if (this.#refused.has(id)) this.notDeleted.set(id, "unconfirmed");
      else left.add(id);
      this.#refused.add(id);
    }
    return left;
  }

  /** Members that held the group when it was seen, and those within reach that may have been pushed to since. */
  #holdersOf(id: GroupId): readonly string[] {
    const { members, directory } = this.#context;
    const set = members();
    const later = [ownerOf(set, id) ?? "", ...directory.holdersOf(id)];
    const seen = this.#seen.copiesOf(id).map(({ address }) => address);
    return [...seen, ...later.filter((address) => set?.isWithinReach(address))];
  }

  #removalsOf(id: GroupId, { copies, listed, startedAt }: FoundCopies): readonly Removal[] {
    const { directory, members } = this.#context;
    const unlisted = new Set(this.#holdersOf(id).filter((address) => !listed.has(address)));
    const found = copies.get(id) ?? [];
    const newer = found.filter((copy) => !this.#isMeant(id, copy));
    if (newer.length > 0 || this.#isBeingPushed(id, startedAt) || this.#wasPushedOutOfSight(id, listed)) {
      this.#keep(id, newer);
      return [];
    }
    if (unlisted.size > 0) this.notDeleted.set(id, "unconfirmed");
    for (const { address } of members()?.members ?? []) if (!this.#seen.held.has(address)) unlisted.add(address);
    // As of the moment when it was decided: what was pushed since is another group.
    directory.deleted(id, this.#seen.listedAt, [...found.map(({ address }) => address), ...unlisted]);
    return found.map(({ address, pushTime }) => ({ id, address, pushTime, carriage: undefined, reason: "deleted" }));
  }

  /** Whether the copy was there when the group was seen. */
  #isMeant(id: GroupId, copy: FoundCopy): boolean {
    // A member that could not be listed then, and has come within reach since.
    if (!this.#seen.held.has(copy.address)) return latestMs(copy.pushedAt) < this.#seen.listedAt;
    const seen = this.#seen.copiesOf(id);
    return seen.some(({ address, pushTime }) => address === copy.address && pushTime === copy.pushTime);
  }

  /** Whether a member that the look does not tell of has acknowledged a push since the group was seen. */
  #wasPushedOutOfSight(id: GroupId, listed: ReadonlySet<string>): boolean {
    const { address, at } = this.#context.directory.get(id)?.truth ?? { at: 0 };
    return address !== undefined && !listed.has(address) && at > this.#seen.listedAt;
  }

  /** Where it was pushed after a deletion that was noted before, nobody need look for it any more. */
  #keep(id: GroupId, newer: readonly FoundCopy[]): void {
    const { directory } = this.#context;
    this.notDeleted.set(id, "pushed");
    if (isDeletion(directory.get(id)?.truth)) for (const { address } of newer) directory.forget(id, address);
  }

  #isBeingPushed(id: GroupId, since: number): boolean {
    return this.#context.isInFlight(id) || this.#context.journal.has(id, since);
  }
}
