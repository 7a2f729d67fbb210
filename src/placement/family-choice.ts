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
}

/**
 * Of all copies of a group, what `to` has to get so that it has the newest of each family. In doubt about which is newer, it keeps
 * its own. A family in doubt counts unless it was pushed elsewhere since: it may be the only one left.
 */
export function familiesToCarry(families: readonly ReadFamily[], to: string): readonly ContentFamily[] {
  const byName = Map.groupBy(families, ({ family }) => family.name);
  return [...byName.values()].flatMap((candidates) => {
    const credible = candidates.filter((candidate) => !isOvertaken(candidate, candidates));
    const own = credible.find(({ address }) => address === to);
    const newest = credible.reduce((best, next) => (next.pushedAt.seconds > best.pushedAt.seconds ? next : best));
    return own === undefined || isCertainlyLater(newest.pushedAt, own.pushedAt) ? [newest.family] : [];
  });
}

function isCertainlyLater(time: LocalTime, other: LocalTime): boolean {
  return time.seconds - other.seconds > time.uncertainty + other.uncertainty;
}
