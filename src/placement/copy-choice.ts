import { isDeletion, type Truth } from "./directory.ts";
import { isOvertaken } from "./doubts.ts";
import { earliestMs, type LocalTime, latestMs } from "./member-clocks.ts";

/** A copy of a group as it was just seen on a member. */
export interface SeenCopy {
  readonly address: string;
  /** Its `push_time_seconds` by this router's clock. */
  readonly pushedAt: LocalTime;
  /** As `Doubts.about` says. */
  readonly doubtedAt: number | undefined;
  /** As `Directory.isNewAt` says. */
  readonly isNew: boolean;
}

export interface CopyChoice {
  /** The copy that counts; undefined when the group was deleted, or its newest copy is on a member out of reach. */
  readonly keep: string | undefined;
  /** Members whose copies have a newer one elsewhere, or were deleted. */
  readonly stale: readonly string[];
  /**
   * - `known`: this router saw the acknowledgement that decides.
   * - `clocks`: push times decide, and another router may know better.
   * - `tie`: push times are closer together than the clocks are known; decided the same way by every router.
   */
  readonly by: "known" | "clocks" | "tie";
}

/** What is known of a group beside its copies. */
export interface ChoiceContext {
  readonly truth: Truth | undefined;
  /** Whether the truth's member cannot be asked, so that its copy is not among those seen though it may exist. */
  readonly truthIsOutOfReach: boolean;
  readonly owner: string | undefined;
  /** Whether it is only about what to show now: of copies pushed at the same time then simply the newer one, as far as is known. */
  readonly isForShow?: boolean;
}

/**
 * Which copy of a group counts. In this order: a copy that may hold a push which was given up never wins over what was pushed
 * elsewhere since it was; the last push that this router saw acknowledged wins over all that was not certainly pushed later; then the newest
 * push time wins, and among equal ones the owner's, then the lowest address.
 *
 * Takes at least one copy, at most one a member.
 */
export function chooseCopy(copies: readonly SeenCopy[], context: ChoiceContext): CopyChoice {
  const credible = copies.filter((copy) => !hasBeenOvertaken(copy, copies, context.truth));
  const later = context.truth === undefined ? credible : credible.filter((copy) => isAfter(copy, context.truth));
  const ofTruth = credible.find(({ address }) => address === context.truth?.address);
  const isTruthThere = ofTruth !== undefined || context.truthIsOutOfReach || isDeletion(context.truth);
  if (context.truth !== undefined && isTruthThere && later.length === 0) {
    return { keep: ofTruth?.address, stale: addressesBut(copies, ofTruth?.address), by: "known" };
  }
  const [pushedSince, ...more] = later;
  if (isDeletion(context.truth) && pushedSince !== undefined && more.length === 0) {
    return { keep: pushedSince.address, stale: addressesBut(copies, pushedSince.address), by: "known" };
  }
  const candidates = [later, credible, copies].find((group) => group.length > 0) ?? copies;
  return chooseByTime(copies, candidates, context);
}

/** Whether the copy is in doubt, and the group was pushed elsewhere since. */
function hasBeenOvertaken(copy: SeenCopy, copies: readonly SeenCopy[], truth: Truth | undefined): boolean {
  const { address, doubtedAt } = copy;
  const isTruthLater = truth !== undefined && truth.address !== address && truth.at >= (doubtedAt ?? Infinity);
  return isTruthLater || isOvertaken(copy, copies);
}

function chooseByTime(
  copies: readonly SeenCopy[],
  candidates: readonly SeenCopy[],
  { owner, isForShow = false }: ChoiceContext,
): CopyChoice {
  const newest = candidates.reduce((best, copy) => (copy.pushedAt.seconds > best.pushedAt.seconds ? copy : best));
  const equals = isForShow ? [newest] : candidates.filter((copy) => !isBefore(copy, newest));
  const preferred = equals.find(({ address }) => address === owner)?.address;
  const keep = preferred ?? equals.map(({ address }) => address).sort()[0];
  return { keep, stale: addressesBut(copies, keep), by: equals.length > 1 ? "tie" : "clocks" };
}

/** Whether the copy was pushed after the acknowledgement for certain, so by somebody else. */
function isAfter({ pushedAt, isNew }: SeenCopy, truth: Truth | undefined): boolean {
  if (truth === undefined) return false;
  return isNew ? latestMs(pushedAt) > truth.at : earliestMs(pushedAt) > truth.at;
}

function isBefore(copy: SeenCopy, other: SeenCopy): boolean {
  return other.pushedAt.seconds - copy.pushedAt.seconds > copy.pushedAt.uncertainty + other.pushedAt.uncertainty;
}

function addressesBut(copies: readonly SeenCopy[], kept: string | undefined): readonly string[] {
  return copies.flatMap(({ address }) => (address === kept ? [] : [address]));
}
