import type { ContentFamily } from "../pushgateway/group-contents.ts";
import { isOvertaken } from "./doubts.ts";
import type { LocalTime } from "./member-clocks.ts";

/** A family of a group as it was just read on a member. */
export interface ReadFamily {
  readonly address: string;
  readonly family: ContentFamily;
  /** By this router's clock. */
  readonly pushedAt: LocalTime;
  /** As `Doubts.about` says. */
  readonly doubtedAt: number | undefined;
  /** Whether another router may know that it is gone, and be about to delete it. */
  readonly mayBeGone: boolean;
}

const HARDLY_KNOWN_S = 0.5;

/**
 * Of all copies of a group, what `to` has to get so that it has the newest of each family. Where clocks are hardly known, it keeps
 * its own in doubt; where they are, the likelier one is taken, since either may be the wrong one. A family in doubt counts unless it was pushed elsewhere since: it may be the only one left. Of a family whose newest may be gone
 * nothing is carried: it would look newer than that one.
 */
export function familiesToCarry(families: readonly ReadFamily[], to: string): readonly ReadFamily[] {
  const byName = Map.groupBy(families, ({ family }) => family.name);
  return [...byName.values()].flatMap((candidates) => {
    const credible = candidates.filter((candidate) => !isOvertaken(candidate, candidates));
    const own = credible.find(({ address }) => address === to);
    const newest = credible.reduce((best, next) => (next.pushedAt.seconds > best.pushedAt.seconds ? next : best));
    const isMissing = own === undefined || isLater(newest.pushedAt, own.pushedAt);
    return isMissing && !newest.mayBeGone ? [newest] : [];
  });
}

function isLater(time: LocalTime, other: LocalTime): boolean {
  const uncertainty = time.uncertainty + other.uncertainty;
  return time.seconds - other.seconds > (uncertainty > HARDLY_KNOWN_S ? uncertainty : 0);
}
