import type { ListedGroup } from "../../pushgateway/group-json.ts";
import type { GroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";
import type { MissingMember } from "./asked-members.ts";
import type { GroupCopy } from "./group-copy.ts";
import { sortInSlices } from "./sort-in-slices.ts";

/** A copy of a group as its member lists it. */
export interface ListedCopy extends GroupCopy {
  /** When a push to it was last rejected, as Unix time in seconds; 0 for never. */
  readonly pushFailureTime: number;
}

/** Which groups members hold: all of them, at one moment. */
export interface ClusterListing {
  /** When the listing began, in milliseconds since 1970. */
  readonly listedAt: number;
  /** In a stable order. */
  readonly ids: readonly GroupId[];
  readonly missing: readonly MissingMember[];
  /** Groups by member; members that could not be listed are missing. */
  readonly held: ReadonlyMap<string, number>;
  /** The copies of a group in the order of addresses; none of a group that is not listed. */
  copiesOf(id: GroupId): readonly ListedCopy[];
}

/** Memory has an end. A cluster with more copies is listed by asking its members one by one. */
const MAX_COPIES = 4_000_000;
const NONE = -1;

/**
 * Gathers a listing. Numbers lie in plain arrays, and the copies of a group are chained: an object for each would take several
 * times the memory of a hundred thousand groups.
 */
export class ListingBuilder {
  readonly #listedAt = Date.now();
  readonly #addresses: readonly string[];
  readonly #held: number[];
  /** The first copy of each group. */
  readonly #heads = new Map<GroupId, number>();
  readonly #next: number[] = [];
  readonly #members: number[] = [];
  readonly #pushTimes: number[] = [];
  readonly #failureTimes: number[] = [];

  /** `addresses`: of the members that are listed, sorted. */
  constructor(addresses: readonly string[]) {
    this.#addresses = addresses;
    this.#held = addresses.map(() => 0);
  }

  /** Adds a group of a member, by the index of its address. Throws a RangeError when there are too many. */
  add(member: number, { id, pushTime, pushFailureTime }: ListedGroup): void {
    const copy = this.#members.length;
    if (copy >= MAX_COPIES) throw new RangeError(`Cannot list more than ${MAX_COPIES} groups`);
    this.#next.push(this.#heads.get(id) ?? NONE);
    this.#heads.set(id, copy);
    this.#members.push(member);
    this.#pushTimes.push(pushTime);
    this.#failureTimes.push(pushFailureTime);
    this.#held[member] = (this.#held[member] ?? 0) + 1;
  }

  async finish(missing: readonly MissingMember[], slices: WorkSlices): Promise<ClusterListing> {
    const isMissing = new Set(missing.map(({ address }) => address));
    const counts = this.#addresses.map((address, index) => [address, this.#held[index] ?? 0] as const);
    return {
      listedAt: this.#listedAt,
      ids: await sortInSlices([...this.#heads.keys()], slices),
      missing,
      held: new Map(counts.filter(([address]) => !isMissing.has(address))),
      copiesOf: (id) => this.#copiesOf(id),
    };
  }

  #copiesOf(id: GroupId): readonly ListedCopy[] {
    const copies: (ListedCopy & { readonly member: number })[] = [];
    for (let copy = this.#heads.get(id) ?? NONE; copy !== NONE; copy = this.#next[copy] ?? NONE) {
      const member = this.#members[copy] as number;
      const address = this.#addresses[member] as string;
      const [pushTime, pushFailureTime] = [this.#pushTimes[copy] as number, this.#failureTimes[copy] as number];
      copies.push({ member, address, pushTime, pushFailureTime });
    }
    return copies.sort((one, other) => one.member - other.member);
  }
}
