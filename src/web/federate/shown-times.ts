import type { GroupId } from "../../sharding/group-id.ts";

/** When a copy was pushed. */
export interface PushTime {
  readonly address: string;
  /** As its member says, in seconds. */
  readonly pushTime: number;
  /** By this router's clock, in seconds: the true value lies within `uncertainty` of it. */
  readonly pushedAt: { readonly seconds: number; readonly uncertainty: number };
}

interface Shown {
  /** Of the copy that was shown last. */
  readonly last: PushTime;
  /** When the group last had several copies, or was in question. */
  readonly doubtfulAt: number;
  /** Since when it is held back because only older copies are there. */
  readonly heldBackSince: number | undefined;
}

/** A group that has had one copy for so long is out of doubt. */
const MEMORY_MS = 60_000;
/** After this an older copy is what there is: a Pushgateway may have lost the newer one in a crash. */
const MAX_HELD_BACK_MS = 15_000;
/** More groups at once are shown without this care. */
const MAX_GROUPS = 200_000;

/**
 * Which copy of a group was shown last, of groups that had several a while ago. Members are read one beside the other and not at one
 * moment: a group that moves meanwhile may be seen where it was long ago, and neither where it was nor where it is. It is
 * then rather missing from a scrape than shown as it was before.
 */
export class ShownTimes {
  readonly #groups = new Map<GroupId, Shown>();

  /** Groups to be judged even where they have one copy. */
  *groups(now: number): Iterable<GroupId> {
    for (const [id, { doubtfulAt }] of this.#groups) {
      if (now - doubtfulAt > MEMORY_MS) this.#groups.delete(id);
      else yield id;
    }
  }

  /**
   * Whether this copy can be shown after what was shown before. Takes it as shown then. To be asked of groups in doubt, and of those
   * that are remembered.
   */
  admits(id: GroupId, copy: PushTime, hasSeveralCopies: boolean, now: number): boolean {
    const known = this.#groups.get(id);
    if (known === undefined && this.#groups.size >= MAX_GROUPS) return true;
    const doubtfulAt = hasSeveralCopies ? now : (known?.doubtfulAt ?? now);
    if (known !== undefined && isOlder(copy, known.last)) {
      const heldBackSince = known.heldBackSince ?? now;
      if (now - heldBackSince < MAX_HELD_BACK_MS) {
        this.#groups.set(id, { ...known, doubtfulAt, heldBackSince });
        return false;
      }
    }
    this.#groups.set(id, { last: copy, doubtfulAt, heldBackSince: undefined });
    return true;
  }
}

/** For certain. */
function isOlder(copy: PushTime, other: PushTime): boolean {
  if (copy.address === other.address) return copy.pushTime < other.pushTime;
  const { seconds, uncertainty } = other.pushedAt;
  return seconds - copy.pushedAt.seconds > uncertainty + copy.pushedAt.uncertainty;
}
