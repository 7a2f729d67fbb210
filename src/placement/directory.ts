import type { GroupId } from "../sharding/group-id.ts";

/** Where the last push or deletion of a group went that this router saw acknowledged. */
export interface Truth {
  /** The member that has it; undefined when the group was deleted. */
  readonly address: string | undefined;
  /**
   * When it last held all of the group, as after a PUT, in milliseconds by this router's clock: what others hold from before then
   * is not needed. Undefined: families may be missing that only an older copy has, as after a POST elsewhere than before.
   */
  readonly wholeAt: number | undefined;
  /** When the answer came, in milliseconds by this router's clock. */
  readonly at: number;
}

/** A member that holds a copy of a group, or may hold one. */
export interface Holder {
  readonly address: string;
  /**
   * When a push to it was given up after its bytes were sent; undefined: none was, or that is settled. The member may apply that
   * push at any time, so what it holds may be from before, whatever its `push_time_seconds` says later.
   */
  readonly doubtedAt: number | undefined;
  /** When this was learnt, in milliseconds by this router's clock. */
  readonly since: number;
  /** Whether it had no copy when the group was deleted, so that what it holds was pushed since, be it in the same moment. */
  readonly isNew?: boolean;
}

/** What this router knows of one group that is, or may be, elsewhere than at its owner. */
export interface DirectoryEntry {
  readonly truth: Truth | undefined;
  /** Each member once; the one of `truth` is among them. */
  readonly holders: readonly Holder[];
}

/** More members than these in the time of one router come from something going wrong; then sharing begins anew. */
const MAX_SHARED = 4_096;
/** More are not remembered, so that they cannot take all memory: about 200 to 500 bytes each. */
const MAX_ENTRIES = 500_000;
/** Of these, what audits find again may take so many: what was acknowledged, deleted or given up is known to nobody else. */
const SEEN_SHARE = 0.8;

/**
 * The groups that have, or may have, copies on members that do not own them. Groups that are where they belong are not in
 * it, so that it is empty in a cluster at rest. It holds knowledge, and does nothing by itself.
 */
export class Directory {
  readonly #entries = new Map<GroupId, DirectoryEntry>();
  /** By member, the last entry that says nothing but that it was seen there. All groups of one audit share it: entries never change. */
  readonly #seenBy = new Map<string, DirectoryEntry>();
  readonly #maxEntries: number;
  #overflowed = 0;

  constructor(maxEntries: number = MAX_ENTRIES) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** How often a group was not taken in for lack of room. */
  get overflowed(): number {
    return this.#overflowed;
  }

  get(id: GroupId): DirectoryEntry | undefined {
    return this.#entries.get(id);
  }

  /** Members that hold a copy of the group, or may hold one, as far as is known. */
  holdersOf(id: GroupId): readonly string[] {
    return this.#entries.get(id)?.holders.map(({ address }) => address) ?? [];
  }

  /** Whether the group was deleted, and the member had no copy then: what it holds was pushed since. */
  isNewAt(id: GroupId, address: string): boolean {
    const { truth, holders = [] } = this.#entries.get(id) ?? {};
    return isDeletion(truth) && holders.some((holder) => holder.address === address && holder.isNew === true);
  }

  /** When a push to the member was given up that it may still apply, as `Holder.doubtedAt`; undefined: there is none. */
  doubtedAt(id: GroupId, address: string): number | undefined {
    return this.#entries.get(id)?.holders.find((holder) => holder.address === address)?.doubtedAt;
  }

  entries(): Iterable<[GroupId, DirectoryEntry]> {
    return this.#entries.entries();
  }

  /** A push was acknowledged by the member; `others` hold, or may hold, older copies. Ends a doubt about the member. */
  acknowledged(id: GroupId, truth: Truth & { readonly address: string }, others: Iterable<string>): void {
    this.#settle(id, truth, [{ address: truth.address, doubtedAt: undefined, since: truth.at }], others);
  }

  /** The group was deleted; `others` could not be told and may still hold copies. Nothing is kept when there are none. */
  deleted(id: GroupId, at: number, others: Iterable<string>): Truth {
    const doubted = doubtedAmong(this.#entries.get(id)?.holders ?? []);
    this.#entries.delete(id);
    const truth = { address: undefined, wholeAt: at, at };
    this.#settle(id, truth, doubted, others);
    return truth;
  }

  /** The member was seen to hold a copy. */
  seen(id: GroupId, address: string, now: number): void {
    const entry = this.#entries.get(id);
    const [known, ...others] = entry?.holders ?? [];
    const isAllThere = others.length === 0 && (known === undefined || known.address === address);
    if (entry?.truth === undefined && isAllThere && known?.doubtedAt === undefined) {
      this.#putEntry(id, this.#onlySeen(address, now));
      return;
    }
    const before = entry?.holders.find((holder) => holder.address === address);
    const isNew = before === undefined ? isDeletion(entry?.truth) : before.isNew === true;
    const holder = { address, doubtedAt: before?.doubtedAt, since: now, isNew };
    this.#put(id, entry?.truth, replaceHolder(entry?.holders ?? [], holder));
  }

  /** A push to the member was given up after its bytes were sent. */
  doubted(id: GroupId, address: string, now: number): void {
    const entry = this.#entries.get(id);
    this.#put(id, entry?.truth, replaceHolder(entry?.holders ?? [], { address, doubtedAt: now, since: now }));
  }

  /** The member holds no copy, or what was doubtful about it is settled and it is where the group belongs. */
  forget(id: GroupId, address: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const holders = entry.holders.filter((holder) => holder.address !== address);
    if (holders.length === 0) this.#entries.delete(id);
    else this.#entries.set(id, { ...entry, holders });
  }

  /** What was doubtful about the member's copy has come to nothing. */
  undoubted(id: GroupId, address: string): void {
    const entry = this.#entries.get(id);
    const holder = entry?.holders.find((known) => known.address === address);
    if (entry === undefined || holder === undefined || holder.doubtedAt === undefined) return;
    this.#entries.set(id, { ...entry, holders: replaceHolder(entry.holders, { ...holder, doubtedAt: undefined }) });
  }

  /** Forgets the group if it was not deleted, no other member than its owner holds it, and nothing about that is doubtful. */
  dropIfAtHome(id: GroupId, owner: string | undefined): void {
    const entry = this.#entries.get(id);
    if (entry === undefined || isDeletion(entry.truth)) return;
    if (entry.holders.every(({ address, doubtedAt }) => address === owner && doubtedAt === undefined))
      this.#entries.delete(id);
  }

  /**
   * All groups of before were deleted. What members out of reach hold is not known here; but pushes that had been given up may still be
   * applied, and what was deleted before stays so.
   */
  wiped(at: number): void {
    for (const [id, { truth, holders }] of this.#entries) {
      if (truth !== undefined && truth.at > at) continue;
      const kept = isDeletion(truth) ? holders.map(asOld) : doubtedAmong(holders);
      if (kept.length === 0) this.#entries.delete(id);
      else this.#entries.set(id, { truth: { address: undefined, wholeAt: at, at }, holders: kept });
    }
  }

  #settle(id: GroupId, truth: Truth, kept: readonly Holder[], others: Iterable<string>): void {
    let holders = kept;
    const known = this.#entries.get(id)?.holders ?? [];
    for (const holder of known) if (holder.address !== truth.address) holders = replaceHolder(holders, holder);
    for (const address of others) {
      if (!holders.some((holder) => holder.address === address)) {
        holders = [...holders, { address, doubtedAt: undefined, since: truth.at }];
      }
    }
    if (holders.length > 0) this.#put(id, truth, holders);
  }

  #put(id: GroupId, truth: Truth | undefined, holders: readonly Holder[]): void {
    this.#putEntry(id, { truth, holders });
  }

  #putEntry(id: GroupId, entry: DirectoryEntry): void {
    const room = isOnlySeen(entry) ? this.#maxEntries * SEEN_SHARE : this.#maxEntries;
    if (this.#entries.size >= room && !this.#entries.has(id)) this.#overflowed++;
    else this.#entries.set(id, entry);
  }

  /** What is known of a group that was seen on this member and nowhere else. */
  #onlySeen(address: string, since: number): DirectoryEntry {
    const last = this.#seenBy.get(address);
    if (last?.holders[0]?.since === since) return last;
    const entry = { truth: undefined, holders: [{ address, doubtedAt: undefined, since }] };
    if (this.#seenBy.size >= MAX_SHARED) this.#seenBy.clear();
    this.#seenBy.set(address, entry);
    return entry;
  }
}

/** Whether the group was deleted, so that every copy of it has to go. */
export function isDeletion(truth: Truth | undefined): boolean {
  return truth !== undefined && truth.address === undefined;
}

/** Those that may still apply a push that was given up, also behind a deletion. */
function doubtedAmong(holders: readonly Holder[]): readonly Holder[] {
  return holders.filter(({ doubtedAt }) => doubtedAt !== undefined).map(asOld);
}

/** Before the next deletion it may hold a copy. */
function asOld({ address, doubtedAt, since }: Holder): Holder {
  return { address, doubtedAt, since };
}

function isOnlySeen({ truth, holders }: DirectoryEntry): boolean {
  return truth === undefined && holders.every(({ doubtedAt }) => doubtedAt === undefined);
}

function replaceHolder(holders: readonly Holder[], holder: Holder): readonly Holder[] {
  return [...holders.filter(({ address }) => address !== holder.address), holder];
}
