import type { MemberSet } from "../../membership/member-set.ts";
import { listGroups } from "../../pushgateway/group-listing.ts";
import type { HashRing } from "../../sharding/hash-ring.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { type AskedMember, allMembers, type MissingMember } from "./asked-members.ts";
import { type ClusterListing, ListingBuilder } from "./cluster-listing.ts";

/** For the whole listing of one member, however many groups it has, and for a silence within it. */
const LISTING_TIMEOUT_MS = 30_000;
const LISTING_IDLE_TIMEOUT_MS = 5_000;
/** How long a listing is kept at least; one that took long is kept for as long as it took. */
const KEPT_MS = 5_000;

/** `fresh`: one that begins now. `kept`: one that others have asked for does, if it is a few seconds old at most. */
export type ListingAge = "fresh" | "kept";

interface Listing {
  readonly startedAt: number;
  /** Over the members that are listed. */
  readonly ring: HashRing;
  readonly listing: Promise<ClusterListing>;
}

/**
 * Lists the groups of all members for whoever asks: one listing at a time, which all share who ask for the same, and which is
 * kept for some seconds.
 */
export class ClusterListings {
  readonly #slices: WorkSlices;
  readonly #abort = new AbortController();
  #latest: Listing | undefined;
  #running: Promise<unknown> | undefined;
  #expiry: Timer | undefined;
  #held: ReadonlyMap<string, number> = new Map();

  constructor(slices: WorkSlices) {
    this.#slices = slices;
  }

  /** How many groups a member held when it was listed last; undefined when it never was, or could not be. */
  held(address: string): number | undefined {
    return this.#held.get(address);
  }

  /** A listing of all members, joining ones and those that look down included. Those that cannot be listed are missing in it. */
  async get(set: MemberSet, age: ListingAge): Promise<ClusterListing> {
    const askedAt = performance.now();
    for (;;) {
      const latest = this.#latest;
      const fits = latest?.ring === set.ring && (age === "kept" || latest.startedAt >= askedAt);
      if (fits) return await latest.listing;
      if (this.#running === undefined) return await this.#start(set);
      // It began too early for us. Whoever of those that wait comes first begins the next one, for all of them.
      await this.#running;
    }
  }

  close(): void {
    clearTimeout(this.#expiry);
    this.#latest = undefined;
    this.#abort.abort(new Error("The router stops"));
  }

  #start(set: MemberSet): Promise<ClusterListing> {
    const startedAt = performance.now();
    const listing = this.#list(allMembers(set, LISTING_TIMEOUT_MS));
    const latest: Listing = { startedAt, ring: set.ring, listing };
    this.#latest = latest;
    clearTimeout(this.#expiry);
    this.#running = listing.then(
      ({ held }) => {
        this.#held = held;
        const keptMs = Math.max(KEPT_MS, performance.now() - startedAt);
        this.#expiry = setTimeout(() => this.#forget(latest), keptMs);
        this.#running = undefined;
      },
      () => {
        this.#forget(latest);
        this.#running = undefined;
      },
    );
    return listing;
  }

  #forget(latest: Listing): void {
    if (this.#latest === latest) this.#latest = undefined;
  }

  async #list(members: readonly AskedMember[]): Promise<ClusterListing> {
    const builder = new ListingBuilder(members.map(({ address }) => address));
    const { signal } = this.#abort;
    const options = { idleTimeoutMs: LISTING_IDLE_TIMEOUT_MS, signal, slices: this.#slices };
    const missing: MissingMember[] = [];
    const listings = members.map(async ({ address, timeoutMs }, index) => {
      try {
        await listGroups(address, { timeoutMs, ...options }, (group) => builder.add(index, group));
      } catch (error) {
        if (error instanceof RangeError) throw error;
        missing.push({ address, error });
      }
    });
    await Promise.all(listings);
    signal.throwIfAborted();
    return await builder.finish(missing, this.#slices);
  }
}
