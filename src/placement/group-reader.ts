import type { GroupContents } from "../pushgateway/group-contents.ts";
import type { GroupId } from "../sharding/group-id.ts";

export type ReadGroups = (
  address: string,
  ids: ReadonlySet<GroupId>,
  signal: AbortSignal,
) => Promise<ReadonlyMap<GroupId, GroupContents>>;

interface Waiting {
  readonly resolve: (contents: GroupContents | undefined) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Reads what single groups hold. A stock Pushgateway can only be asked for all groups at once, so those that are wanted while
 * one reading is under way share the next: however many are wanted, a member is read by one reading at a time.
 */
export class GroupReader {
  readonly #read: ReadGroups;
  readonly #waiting = new Map<string, Map<GroupId, Waiting[]>>();
  /** Readings under way, by member. */
  readonly #reading = new Map<string, AbortController>();

  constructor(read: ReadGroups) {
    this.#read = read;
  }

  /** The contents at some moment after the call; undefined when the member has no such group. Rejects when it cannot be asked. */
  read(address: string, id: GroupId): Promise<GroupContents | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<GroupContents | undefined>();
    const groups = this.#waiting.get(address) ?? new Map<GroupId, Waiting[]>();
    this.#waiting.set(address, groups);
    const waiting = groups.get(id);
    if (waiting === undefined) groups.set(id, [{ resolve, reject }]);
    else waiting.push({ resolve, reject });
    if (!this.#reading.has(address)) void this.#readWaiting(address);
    return promise;
  }

  /** Gives up what is being read, or wanted, of a member that has gone down. */
  giveUp(address: string): void {
    this.#reading.get(address)?.abort(new Error(`Cannot read groups of ${address}: it has gone down`));
  }

  async #readWaiting(address: string): Promise<void> {
    const abort = new AbortController();
    this.#reading.set(address, abort);
    // Who wants many groups asks for all of them in one go.
    await Promise.resolve();
    for (let groups = this.#take(address); groups !== undefined; groups = this.#take(address)) {
      await this.#readOnce(address, groups, abort.signal);
    }
    this.#reading.delete(address);
  }

  async #readOnce(
    address: string,
    groups: ReadonlyMap<GroupId, readonly Waiting[]>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const contents = await this.#read(address, new Set(groups.keys()), signal);
      for (const [id, waiting] of groups) for (const { resolve } of waiting) resolve(contents.get(id));
    } catch (error) {
      for (const waiting of groups.values()) for (const { reject } of waiting) reject(error as Error);
    }
  }

  #take(address: string): ReadonlyMap<GroupId, readonly Waiting[]> | undefined {
    const groups = this.#waiting.get(address);
    this.#waiting.delete(address);
    return groups;
  }
}
