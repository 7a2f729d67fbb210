import type { ListedGroup } from "../pushgateway/group-json.ts";
import { listGroups } from "../pushgateway/group-listing.ts";
import { MemberRequestError, requestMember } from "../pushgateway/member-request.ts";
import type { GroupId } from "../sharding/group-id.ts";
import { murmur3 } from "../sharding/murmur3.ts";
import type { WorkSlices } from "../work-slices.ts";
import type { LocalTime, MemberClocks } from "./member-clocks.ts";

/** A copy of a group as a member lists it. */
export interface FoundCopy {
  readonly address: string;
  /** Its `push_time_seconds` as the member tells it, and by this router's clock. */
  readonly pushTime: number;
  readonly pushedAt: LocalTime;
  /** Whether its families came by different pushes, as POSTs leave them; a PUT renews all of them. */
  readonly isPieced: boolean;
  /** A number made of the names of its families: copies with different ones do not have the same families. */
  readonly familiesHash: number;
}

/** What a look at some groups found. */
export interface FoundCopies {
  readonly copies: ReadonlyMap<GroupId, readonly FoundCopy[]>;
  /** Members whose groups have all been looked at. What others hold is not known. */
  readonly listed: ReadonlySet<string>;
  /** When the look began and ended, in milliseconds by this router's clock. */
  readonly startedAt: number;
  readonly endedAt: number;
}

export interface ClusterListerContext {
  readonly clocks: MemberClocks;
  readonly slices: WorkSlices;
  /** Told of a member whose groups could not be listed. */
  readonly onUnreadable: (address: string, error: Error) => void;
}

/** For the whole listing of one member, however many groups it has, and for a silence within it. */
const TIMEOUTS = { timeoutMs: 60_000, idleTimeoutMs: 10_000 };
/** At the same time: more would take the members' time from pushes, and this router's. */
const MAX_LISTINGS = 2;

/** A listing that took longer was waited for rather than worked on: Pushgateway 1.11.0 does 90 MB in 3 s, on a busy machine in 9. */
const MOST_MS_A_BYTE = 0.0002;
/** So was one that came to nothing. */
const MOST_MS_WITHOUT_END = 2_000;

const CLOCK_SAMPLES = 24;
/** Not a divisor of a second, so that samples fall on different fractions of one. */
const CLOCK_SAMPLE_INTERVAL_MS = 43;
const CLOCK_TIMEOUT_MS = 1_000;
/** What is known better than to so many seconds is good enough. */
const CLOCK_GOAL_S = 0.05;

/** Looks at which groups members hold. */
export class ClusterLister {
  readonly #context: ClusterListerContext;
  /** Under way, with the addresses of their members. */
  readonly #listings = new Map<AbortController, string>();
  #spentMs = 0;

  constructor(context: ClusterListerContext) {
    this.#context = context;
  }

  /** The sum of the time that all listings so far took, each of one member, without the waiting for members that hung. */
  get spentMs(): number {
    return this.#spentMs;
  }

  /** Calls `visit` for each group of a member. Rejects when the listing is not whole. */
  async list(address: string, visit: (group: ListedGroup) => void, signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const { slices } = this.#context;
    const listing = new AbortController();
    const onAbort = () => listing.abort(signal.reason);
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    this.#listings.set(listing, address);
    let mostMs = MOST_MS_WITHOUT_END;
    try {
      const { clock, bytes } = await listGroups(address, { ...TIMEOUTS, signal: listing.signal, slices }, visit);
      if (clock !== undefined) this.#context.clocks.add(address, clock);
      mostMs = bytes * MOST_MS_A_BYTE;
    } finally {
      this.#listings.delete(listing);
      signal.removeEventListener("abort", onAbort);
      this.#spentMs += Math.min(mostMs, performance.now() - startedAt);
    }
  }

  /** Gives up listings of a member that has gone down: whoever waits for it has other members to look after. */
  giveUp(address: string): void {
    for (const [listing, listed] of this.#listings) {
      if (listed !== address) continue;
      listing.abort(new MemberRequestError("timeout", `Cannot list the groups of ${address}: it has gone down`));
    }
  }

  /** A time that the member put down, by this router's clock. */
  localTime(address: string, memberSeconds: number): LocalTime {
    return this.#context.clocks.localTime(address, memberSeconds, Date.now());
  }

  /** When somebody last pushed to the copy, accepted or refused: that is a sign that the group is still cared for. */
  lastPushOf(address: string, { pushTime, pushFailureTime }: ListedGroup): LocalTime {
    return this.localTime(address, Math.max(pushTime, pushFailureTime));
  }

  copyOf(address: string, group: ListedGroup): FoundCopy {
    const { pushTime } = group;
    return { address, pushTime, pushedAt: this.localTime(address, pushTime), ...describeFamilies(group) };
  }

  /** Lists several members, a few at a time. Returns those that could not be listed. */
  async listAll(
    addresses: readonly string[],
    visit: (address: string, group: ListedGroup) => void,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    const unreadable = new Set<string>();
    const left = [...addresses];
    const work = async () => {
      for (let address = left.shift(); address !== undefined; address = left.shift()) {
        const current = address;
        try {
          await this.list(current, (group) => visit(current, group), signal);
        } catch (error) {
          signal.throwIfAborted();
          unreadable.add(current);
          this.#context.onUnreadable(current, error as Error);
        }
      }
    };
    await Promise.all(Array.from({ length: MAX_LISTINGS }, work));
    return unreadable;
  }

  /** Finds the copies of the groups that are wanted. The clocks of these members should have been measured. */
  async find(
    addresses: readonly string[],
    wanted: (id: GroupId) => boolean,
    signal: AbortSignal,
  ): Promise<FoundCopies> {
    const startedAt = Date.now();
    const copies = new Map<GroupId, FoundCopy[]>();
    const visit = (address: string, group: ListedGroup) => {
      if (!wanted(group.id)) return;
      const copy = this.copyOf(address, group);
      const known = copies.get(group.id);
      if (known === undefined) copies.set(group.id, [copy]);
      else known.push(copy);
    };
    const unreadable = await this.listAll(addresses, visit, signal);
    const listed = new Set(addresses.filter((address) => !unreadable.has(address)));
    return { copies, listed, startedAt, endedAt: Date.now() };
  }

  /** Reads the clocks of these members until they are known well enough, for a second or so. Never rejects but by the signal. */
  async measureClocks(addresses: readonly string[], signal: AbortSignal): Promise<void> {
    await Promise.all(addresses.map((address) => this.#measureClock(address, signal)));
  }

  async #measureClock(address: string, signal: AbortSignal): Promise<void> {
    const { clocks } = this.#context;
    for (let i = 0; i < CLOCK_SAMPLES && clocks.uncertainty(address, Date.now()) > CLOCK_GOAL_S; i++) {
      if (i > 0) await Bun.sleep(CLOCK_SAMPLE_INTERVAL_MS);
      signal.throwIfAborted();
      try {
        const request = { method: "GET", target: "/-/healthy", timeoutMs: CLOCK_TIMEOUT_MS, signal };
        const { clock } = await requestMember(address, request);
        if (clock !== undefined) clocks.add(address, clock);
      } catch {
        signal.throwIfAborted();
      }
    }
  }
}

function describeFamilies(group: ListedGroup): Pick<FoundCopy, "isPieced" | "familiesHash"> {
  let first: string | undefined;
  let isPieced = false;
  let familiesHash = 0;
  for (const [name, { time_stamp }] of group.families()) {
    first ??= time_stamp;
    isPieced ||= time_stamp !== first;
    // A sum, since members tell families in any order.
    familiesHash = (familiesHash + murmur3(name)) >>> 0;
  }
  return { isPieced, familiesHash };
}
