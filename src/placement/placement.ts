import type { MemberSet } from "../membership/member-set.ts";
import { FeatureDetection } from "../pushgateway/feature-detection.ts";
import { readGroups } from "../pushgateway/group-contents.ts";
import { type GroupId, groupIdOf } from "../sharding/group-id.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";
import { admit } from "./admission.ts";
import { Auditor } from "./auditor.ts";
import { Carrier } from "./carrier.ts";
import { CleanUp } from "./clean-up.ts";
import { ClusterLister } from "./cluster-lister.ts";
import { chooseCopy } from "./copy-choice.ts";
import { CopyJoin } from "./copy-join.ts";
import { CopyRemoval } from "./copy-removal.ts";
import { Directory } from "./directory.ts";
import { Doubts } from "./doubts.ts";
import { type EvacuationResult, evacuate } from "./evacuation.ts";
import { deleteGroups, type NotDeleted, type SeenGroups } from "./group-deletion.ts";
import { GroupReader } from "./group-reader.ts";
import { KeyGates } from "./key-gates.ts";
import { type LocalTime, MemberClocks } from "./member-clocks.ts";
import { MisplacedCounts } from "./misplaced-counts.ts";
import { Pace } from "./pace.ts";
import type { PlacementOptions, PlacementSurroundings } from "./placement-surroundings.ts";
import { PushCleanUp } from "./push-clean-up.ts";
import { PushJournal } from "./push-journal.ts";
import { Resolution } from "./resolution.ts";
import { Thaws } from "./thaws.ts";
import { ViewHistory } from "./view-history.ts";

/** A cluster with no more groups can afford to be looked at with each POST after a change: that takes half a second at most. */
const MAX_GROUPS_TO_LOOK_AT = 20_000;
/**
 * Routers hear of a change within so long of each other, and redirected clients have arrived. What another one still pushes by its
 * older view is joined as long: an operator may take a minute from one router to the next.
 */
const VIEW_MEMORY_MS = 120_000;
/**
 * For a reading of what single groups of a member hold, and a silence within an answer. Of a stock Pushgateway all groups are read,
 * twice: with 100,000 of them, on a machine that is busy with pushes, that was measured to take up to half a minute.
 */
const READ_TIMEOUTS = { timeoutMs: 60_000, idleTimeoutMs: 10_000 };

/**
 * Where copies of groups are, and where they should be. Three things hold: at most one copy of a group is visible once the members
 * it lives on are within reach; the newest copy is never deleted; and nothing is moved by guesswork.
 */
export class Placement {
  readonly #surroundings: PlacementSurroundings;
  readonly #directory = new Directory();
  readonly #clocks = new MemberClocks();
  readonly #thaws = new Thaws();
  readonly #doubts = new Doubts(this.#directory, this.#thaws);
  readonly #history = new ViewHistory(VIEW_MEMORY_MS);
  readonly #gates = new KeyGates();
  readonly #journal = new PushJournal();
  readonly #features = new FeatureDetection();
  /** When all groups were wiped while a member was out of reach, which has not been cleaned since. */
  readonly #wiped = new Map<string, number>();
  readonly #wipedAt = (address: string) => this.#wiped.get(address);
  readonly #stopped = new AbortController();
  readonly #lister: ClusterLister;
  readonly #reader: GroupReader;
  readonly #cleanUp: CleanUp;
  readonly #pace: Pace;
  readonly #removal: CopyRemoval;
  readonly #resolution: Resolution;
  readonly #auditor: Auditor;
  readonly #misplaced: MisplacedCounts;
  readonly #pushCleanUp: PushCleanUp;
  #options: PlacementOptions;
  #changedAt = 0;

  constructor(options: PlacementOptions, surroundings: PlacementSurroundings) {
    this.#options = options;
    this.#surroundings = surroundings;
    const { log } = surroundings;
    const utf8Names = () => this.#options.utf8Names;
    const { slices } = surroundings;
    this.#reader = new GroupReader((address, ids, signal) =>
      readGroups(address, ids, { ...READ_TIMEOUTS, signal, slices }),
    );
    this.#pace = new Pace(() => this.#options.cleanUpRate);
    this.#lister = new ClusterLister({
      clocks: this.#clocks,
      slices,
      onUnreadable: (member, err) => log.debug("Cannot list the groups of a member, will try again", { member, err }),
    });
    const parts = {
      ...surroundings,
      directory: this.#directory,
      clocks: this.#clocks,
      doubts: this.#doubts,
      history: this.#history,
      gates: this.#gates,
      journal: this.#journal,
      lister: this.#lister,
      reader: this.#reader,
      pace: this.#pace,
      features: this.#features,
      utf8Names,
      options: () => this.#options,
      wipedAt: this.#wipedAt,
    };
    this.#misplaced = new MisplacedCounts(parts);
    this.#cleanUp = new CleanUp(parts);
    const carrier = new Carrier({ ...parts, cleanUp: this.#cleanUp });
    const moving = {
      ...parts,
      cleanUp: this.#cleanUp,
      carrier,
      noticeMs: () => this.#options.noticeMs,
      isLookCheap: () => this.#isLookCheap,
    };
    this.#removal = new CopyRemoval(moving);
    this.#resolution = new Resolution({ ...parts, removal: this.#removal });
    this.#auditor = new Auditor({ ...parts, removal: this.#removal, resolution: this.#resolution });
    this.#pushCleanUp = new PushCleanUp({
      ...moving,
      copyJoin: new CopyJoin(moving),
      isAudited: () => (this.#auditor.lastAudit?.startedAt ?? 0) > this.#changedAt,
      onLeft: (id) => this.#auditor.followUp(id),
    });
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error("The router stops"));
    await this.#auditor.stop();
  }

  /** Uses other options from the next step on. */
  reconfigure(options: PlacementOptions): void {
    this.#options = options;
    this.#auditor.reconfigured();
  }

  /** Begins to look after groups with the first member set. */
  membersChanged(next: MemberSet, previous: MemberSet | undefined): void {
    this.#changedAt = Date.now();
    if (previous === undefined) this.#auditor.start();
    else this.#history.add(previous, this.#changedAt);
    this.#thaws.membersChanged(next, this.#changedAt);
    this.#clocks.retain(new Set(next.members.map(({ address }) => address)));
    for (const { address, state } of next.members) if (state === "down") this.#giveUp(address);
    this.#auditor.membersChanged();
  }

  /** The member may not answer for long, and come back as another program. */
  #giveUp(address: string): void {
    this.#lister.giveUp(address);
    this.#reader.giveUp(address);
    this.#features.forget(address);
  }

  /** A push has to wait until this resolves, and then for `whenOpen`; undefined: it can go ahead. Never rejects. */
  beforePush(key: GroupingKey, method: string): Promise<void> | undefined {
    return isStorable(key) ? this.#pushCleanUp.beforePush(key, method) : undefined;
  }

  /** Resolves when nobody works on the group any more; undefined: nobody does. Never rejects. */
  whenOpen(key: GroupingKey): Promise<void> | undefined {
    return this.#gates.isAnyClosed ? this.#gates.whenOpen(groupIdOf(key)) : undefined;
  }

  /** A member answered 2xx to a push. Resolves when its client can be told; undefined: at once. Never rejects. */
  acknowledged(key: GroupingKey, method: string, address: string): Promise<void> | undefined {
    if (!isStorable(key)) return undefined;
    if (this.#journal.isOpen) this.#journal.note(groupIdOf(key), Date.now());
    return this.#pushCleanUp.acknowledged(key, method, address);
  }

  /** A push to the member was given up after its bytes were sent: the member may apply it at any time. */
  doubted(key: GroupingKey, address: string): void {
    if (!isStorable(key)) return;
    this.#directory.doubted(groupIdOf(key), address, Date.now());
  }

  /**
   * What became of a push to the group is not known, or it was rejected, which leaves an empty group: if copies may be elsewhere,
   * they are looked at soon.
   */
  questioned(key: GroupingKey): void {
    if (!isStorable(key)) return;
    const set = this.#surroundings.members();
    const id = groupIdOf(key);
    if (set !== undefined && (this.#directory.get(id) !== undefined || this.#mayBeElsewhere(key, set))) {
      this.#auditor.followUp(id);
    }
  }

  /** Whether members within reach besides its owner may have been pushed to by rights of late. */
  #mayBeElsewhere({ canonicalPath }: GroupingKey, set: MemberSet): boolean {
    const owner = set.ownerOf(canonicalPath)?.address ?? "";
    const others = [...set.absenteesBefore(owner, canonicalPath)];
    if (!this.#history.isEmpty(Date.now())) others.push(...this.#history.ownersOf(canonicalPath));
    return others.some((other) => other !== owner && set.isWithinReach(other));
  }

  /** Cleans a member before it takes pushes. Rejects only when aborted. */
  async admit(address: string, signal: AbortSignal): Promise<void> {
    const wipedAt = this.#wiped.get(address);
    const isClean = await admit(
      {
        ...this.#surroundings,
        directory: this.#directory,
        thaws: this.#thaws,
        lister: this.#lister,
        resolution: this.#resolution,
        removal: this.#removal,
        journal: this.#journal,
        noticeMs: () => this.#options.noticeMs,
        wipedAt: this.#wipedAt,
      },
      address,
      AbortSignal.any([signal, this.#stopped.signal]),
    );
    if (isClean && this.#wiped.get(address) === wipedAt) this.#wiped.delete(address);
  }

  /** All groups were wiped at that time, but on these members, which are cleaned when they return. */
  wiped(unreachable: readonly string[], at: number): void {
    this.#directory.wiped(at);
    for (const address of unreachable) this.#wiped.set(address, at);
  }

  /** Deletes groups as they were seen, wherever they are; where that cannot be done now, when it can. Returns what was not deleted. */
  async deleteGroups(
    ids: readonly GroupId[],
    seen: SeenGroups,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<GroupId, NotDeleted>> {
    const context = {
      ...this.#surroundings,
      options: () => this.#options,
      directory: this.#directory,
      lister: this.#lister,
      removal: this.#removal,
      journal: this.#journal,
    };
    const notDeleted = await deleteGroups(context, ids, seen, signal);
    for (const [id, reason] of notDeleted) if (reason === "unconfirmed") this.#auditor.followUp(id);
    return notDeleted;
  }

  /** Moves the groups of a draining member to their owners. Rejects when the member cannot be listed. */
  evacuate(address: string): Promise<EvacuationResult> {
    const context = {
      ...this.#surroundings,
      isLookCheap: () => this.#isLookCheap,
      directory: this.#directory,
      doubts: this.#doubts,
      lister: this.#lister,
      reader: this.#reader,
      cleanUp: this.#cleanUp,
      gates: this.#gates,
      pace: this.#pace,
      journal: this.#journal,
    };
    return evacuate(context, address, this.#stopped.signal);
  }

  /** Of copies just seen, the member whose copy counts; undefined: none of them. */
  chooseCopy(id: GroupId, copies: readonly { address: string; pushTime: number }[]): string | undefined {
    const entry = this.#directory.get(id);
    const set = this.#surroundings.members();
    const seen = copies.map(({ address, pushTime }) =>
      this.#doubts.weigh(id, { address, pushedAt: this.#lister.localTime(address, pushTime) }),
    );
    const truthAddress = entry?.truth?.address;
    const truthIsOutOfReach = truthAddress !== undefined && set?.stateOf(truthAddress) === "down";
    return chooseCopy(seen, { truth: entry?.truth, truthIsOutOfReach, owner: undefined, isForShow: true }).keep;
  }

  /** A time that the member put down, in seconds, by this router's clock. */
  localTime(address: string, memberSeconds: number): LocalTime {
    return this.#lister.localTime(address, memberSeconds);
  }

  /** Whether the member's copy may come from a push that was given up. */
  isDoubtful(id: GroupId, address: string): boolean {
    return this.#directory.doubtedAt(id, address) !== undefined;
  }

  /** Groups on the member as of the last audit; undefined before it. */
  groupsOn(address: string): number | undefined {
    return this.#auditor.lastAudit?.groups.get(address);
  }

  /** By member, how many groups on it belong elsewhere; members without any are missing. Undefined before the first audit. */
  async misplacedByMember(): Promise<ReadonlyMap<string, number> | undefined> {
    return this.#auditor.lastAudit === undefined ? undefined : await this.#misplaced.get();
  }

  get #isLookCheap(): boolean {
    const counts = this.#auditor.lastAudit?.groups.values() ?? [];
    return Iterator.from(counts).reduce((sum, count) => sum + count, 0) <= MAX_GROUPS_TO_LOOK_AT;
  }

  /** Groups of which more is known than copies show: of all others, an only copy counts. */
  *groupsInQuestion(): Iterable<GroupId> {
    for (const [id] of this.#directory.entries()) yield id;
  }

  /** Groups that are, or may be, elsewhere than at their owner. */
  get misplacedGroups(): number {
    return this.#directory.size;
  }

  /** How often one of them was not remembered for lack of room. */
  get forgottenGroups(): number {
    return this.#directory.overflowed;
  }
}

/** No Pushgateway has a group whose key is not UTF-8; and its ID could be that of another group, since no byte is left for separators. */
function isStorable({ validUtf8 }: GroupingKey): boolean {
  return validUtf8;
}
