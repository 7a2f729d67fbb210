import type { MemberSet } from "../membership/member-set.ts";
import type { WorkSlices } from "../work-slices.ts";
import type { Directory } from "./directory.ts";
import { ownerOf } from "./group-owner.ts";

export interface MisplacedCountsContext {
  readonly directory: Directory;
  readonly slices: WorkSlices;
  readonly members: () => MemberSet | undefined;
}

/** By member, how many groups it holds, or may hold, that belong to others. Members without any are missing. */
type Counts = ReadonlyMap<string, number>;

/** Counts are kept for so many times as long as it took to count: whoever asks all the time has a twentieth of the time counted. */
const KEPT_FACTOR = 20;

/** Counts misplaced groups, for all members at once and for all who ask at the same time. */
export class MisplacedCounts {
  readonly #context: MisplacedCountsContext;
  #latest: Promise<Counts> | undefined;
  #staleAt = Number.POSITIVE_INFINITY;

  constructor(context: MisplacedCountsContext) {
    this.#context = context;
  }

  get(): Promise<Counts> {
    if (this.#latest === undefined || performance.now() >= this.#staleAt) this.#latest = this.#count();
    return this.#latest;
  }

  async #count(): Promise<Counts> {
    this.#staleAt = Number.POSITIVE_INFINITY;
    const startedAt = performance.now();
    const counts = new Map<string, number>();
    const { directory, slices, members } = this.#context;
    const set = members();
    await slices.visit(directory.entries(), ([id, { holders }]) => {
      const owner = ownerOf(set, id);
      for (const { address } of holders) if (address !== owner) counts.set(address, (counts.get(address) ?? 0) + 1);
    });
    const endedAt = performance.now();
    this.#staleAt = endedAt + KEPT_FACTOR * (endedAt - startedAt);
    return counts;
  }
}
