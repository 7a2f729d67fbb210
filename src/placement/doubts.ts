import type { GroupId } from "../sharding/group-id.ts";
import type { SeenCopy } from "./copy-choice.ts";
import type { Directory } from "./directory.ts";
import { type LocalTime, latestMs } from "./member-clocks.ts";
import type { Thaws } from "./thaws.ts";

/** What a member holds of a group, all of it or one family, and when that was pushed. */
interface Dated {
  readonly pushedAt: LocalTime;
  /** As `Doubts.about` says. */
  readonly doubtedAt: number | undefined;
}

/**
 * Which copies, or families of them, are older than they look, because a push brought them that was given up, and that its
 * member applied when it thawed.
 */
export class Doubts {
  readonly #directory: Directory;
  readonly #thaws: Thaws;

  constructor(directory: Directory, thaws: Thaws) {
    this.#directory = directory;
    this.#thaws = thaws;
  }

  /**
   * Since when pushes of the group elsewhere count for more than what the member dates so, in milliseconds by this router's clock;
   * undefined: its date is to be trusted.
   */
  about(id: GroupId, address: string, pushedAt: LocalTime): number | undefined {
    const givenUpAt = this.#directory.doubtedAt(id, address);
    if (givenUpAt !== undefined && this.#thaws.mayExplain(address, pushedAt, givenUpAt)) return givenUpAt;
    return this.#thaws.at(address, pushedAt)?.outageFrom;
  }

  /** A copy that was seen, with all that is known of its date. */
  weigh<T extends Pick<SeenCopy, "address" | "pushedAt">>(id: GroupId, copy: T): T & SeenCopy {
    const doubtedAt = this.about(id, copy.address, copy.pushedAt);
    return { ...copy, doubtedAt, isNew: this.#directory.isNewAt(id, copy.address) };
  }
}

/**
 * Whether it is in doubt, and something that is not was pushed since. Before that, what it is counts as new as any: the last push that
 * its member acknowledged, or the one that was given up.
 */
export function isOvertaken({ doubtedAt }: Dated, others: Iterable<Dated>): boolean {
  if (doubtedAt === undefined) return false;
  for (const { pushedAt, doubtedAt: otherDoubt } of others) {
    if (otherDoubt === undefined && latestMs(pushedAt) >= doubtedAt) return true;
  }
  return false;
}
