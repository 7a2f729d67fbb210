import type { Logger } from "../log.ts";
import type { MemberSet } from "../membership/member-set.ts";
import type { ListedGroup } from "../pushgateway/group-json.ts";
import { MemberRequestError } from "../pushgateway/member-request.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { WorkSlices } from "../work-slices.ts";
import type { ClusterLister, FoundCopy } from "./cluster-lister.ts";
import type { CopyRemoval, Removal } from "./copy-removal.ts";
import type { Directory } from "./directory.ts";
import { isWiped } from "./group-expiry.ts";
import { earliestMs } from "./member-clocks.ts";
import type { PushJournal } from "./push-journal.ts";
import type { Resolution } from "./resolution.ts";
import type { Thaws } from "./thaws.ts";

export interface AdmissionContext {
  readonly members: () => MemberSet | undefined;
  readonly directory: Directory;
  readonly thaws: Thaws;
  readonly lister: ClusterLister;
  readonly resolution: Resolution;
  readonly removal: CopyRemoval;
  readonly journal: PushJournal;
  readonly slices: WorkSlices;
  /** When all groups were wiped while the member was out of reach, in milliseconds by this router's clock; undefined: never. */
  readonly wipedAt: (address: string) => number | undefined;
  /** So long after a member has come back every router has noticed, and cleaned it of what it knows to be gone. */
  readonly noticeMs: () => number;
  readonly log: Logger;
}

/**
 * Enough to delete 100,000 copies at the default rate, whatever the looks between take. Then a member is taken in as it is: pushes are
 * worth more than a tidy ring.
 */
const ADMISSION_TIMEOUT_MS = 600_000;
/** So is one that cannot be looked at for so long. */
const TROUBLE_TIMEOUT_MS = 60_000;
/** So long a member waits for what cannot be decided yet. An audit decides it later. */
const UNDECIDED_TIMEOUT_MS = 15_000;
/** A member that is new to us and was pushed to so shortly before is in service at other routers. */
const IN_USE_MS = 15_000;
/** Between two looks whether somebody pushes to a member that waits: at least so long, and so many times what a look takes. */
const NOTICE_PAUSE_MS = 200;
const NOTICE_PAUSE_FACTOR = 5;
/**
 * Before another look. What a thawed member had in its sockets is applied within a second. After a clean-up, other routers may be
 * about to delete what they saw before it, for a second after their look (`CopyRemoval`); a push that came in between
 * would be lost to them.
 */
const PAUSES_MS = { clean: 1_000, more: 0, cleaned: 3_000, undecided: 1_000, trouble: 1_000 };

/**
 * Cleans a member before it takes pushes and is scraped: after an outage it may hold copies of groups that were pushed
 * elsewhere or deleted meanwhile, and pushes that were given up may still be applied. Resolves when the member holds nothing
 * stale that this router knows of, or with false when it cannot be cleaned, which is logged. Rejects only when aborted.
 *
 * One that comes back is cleaned once more when other routers have noticed it, too: they may know of deletions that this one does
 * not, and what is gone must not come back with the next push. Pushes that other members acknowledge meanwhile need no watching:
 * their clean-up deletes the copy here, too.
 */
export async function admit(context: AdmissionContext, address: string, signal: AbortSignal): Promise<boolean> {
  const cameBackAt = Date.now();
  const isNewcomer = context.members()?.has(address) !== true;
  const returning = { address, newsSince: isNewcomer ? cameBackAt - IN_USE_MS : cameBackAt };
  const isClean = await clean(context, returning, signal);
  if (isNewcomer || !(await waitUntilNoticed(context, returning, signal))) return isClean;
  return await clean(context, returning, signal);
}

interface Returning {
  readonly address: string;
  /** A push to it since then, in milliseconds by this router's clock, is another router's, which has it in service. */
  readonly newsSince: number;
}

/** Waits until other routers must have noticed that the member is back. False: one of them pushes to it already. */
async function waitUntilNoticed(
  context: AdmissionContext,
  returning: Returning,
  signal: AbortSignal,
): Promise<boolean> {
  const { lister, noticeMs } = context;
  const { address, newsSince } = returning;
  const left = () => newsSince + noticeMs() - Date.now();
  let pauseMs = NOTICE_PAUSE_MS;
  while (left() > 0) {
    await Bun.sleep(Math.min(left(), pauseMs));
    signal.throwIfAborted();
    let isUsed = false;
    const visit = (group: ListedGroup) => {
      isUsed ||= isNews(context, returning, lister.copyOf(address, group));
    };
    const lookedAt = performance.now();
    // Who cannot be listed is not known to be in use.
    await lister.list(address, visit, signal).catch(() => signal.throwIfAborted());
    if (isUsed) return false;
    pauseMs = Math.max(NOTICE_PAUSE_MS, NOTICE_PAUSE_FACTOR * (performance.now() - lookedAt));
  }
  return true;
}

/** Whether the copy was pushed since the member came back, and not by a push that had waited in its sockets. */
function isNews({ thaws }: AdmissionContext, { address, newsSince }: Returning, { pushedAt }: FoundCopy): boolean {
  const isLater = earliestMs(pushedAt) > newsSince;
  return isLater && thaws.at(address, pushedAt) === undefined;
}

/** Whether the member holds nothing stale any more that is known of. */
async function clean(context: AdmissionContext, returning: Returning, signal: AbortSignal): Promise<boolean> {
  const { address } = returning;
  const timeout = AbortSignal.timeout(ADMISSION_TIMEOUT_MS);
  const deadline = AbortSignal.any([signal, timeout]);
  const mayHoldDoubtful = context.thaws.isRecent(address, Date.now()) || (await isAnyDoubtful(context, address));
  const progress = new Progress(mayHoldDoubtful ? 2 : 1);
  while (!timeout.aborted) {
    const lookedAt = Date.now();
    const outcome = await look(context, returning, deadline);
    signal.throwIfAborted();
    if (progress.isOver(outcome, lookedAt)) return true;
    if (outcome instanceof Error && progress.isHopeless(outcome)) {
      context.log.warn("Taking in a member that cannot be cleaned of stale copies", { member: address, err: outcome });
      return false;
    }
    await Bun.sleep(PAUSES_MS[outcome instanceof Error ? "trouble" : outcome]);
  }
  context.log.warn("Taking in a member that could not be cleaned of all stale copies in time", { member: address });
  return false;
}

/** How far an admission has got. */
class Progress {
  readonly #startedAt = Date.now();
  #lastLookAt = this.#startedAt;
  #cleanLooksLeft: number;

  constructor(cleanLooks: number) {
    this.#cleanLooksLeft = cleanLooks;
  }

  /** `lookedAt`: when the look began. */
  isOver(outcome: LookOutcome | Error, lookedAt: number): boolean {
    if (!(outcome instanceof Error)) this.#lastLookAt = Date.now();
    if (outcome === "clean") this.#cleanLooksLeft--;
    const isWaitedFor = outcome === "undecided" && lookedAt - this.#startedAt > UNDECIDED_TIMEOUT_MS;
    return this.#cleanLooksLeft === 0 || isWaitedFor;
  }

  /** Whether the member answers, but not with its groups, so that asking again changes nothing; or does not answer for too long. */
  isHopeless(error: Error): boolean {
    const isTrouble = error instanceof MemberRequestError && error.kind !== "status" && error.kind !== "malformed";
    return !isTrouble || Date.now() - this.#lastLookAt > TROUBLE_TIMEOUT_MS;
  }
}

async function look(
  context: AdmissionContext,
  returning: Returning,
  signal: AbortSignal,
): Promise<LookOutcome | Error> {
  try {
    return await context.journal.during(() => cleanOnce(context, returning, signal));
  } catch (error) {
    return error as Error;
  }
}

/**
 * `clean`: nothing was to be done. `more`: something was, and there is more of it. `cleaned`: that was all. `undecided`: it
 * cannot be said yet of some groups which copy counts.
 */
type LookOutcome = "clean" | "more" | "cleaned" | "undecided";

/** One look at the member and the others, and what follows from it. */
async function cleanOnce(context: AdmissionContext, returning: Returning, signal: AbortSignal): Promise<LookOutcome> {
  const { address } = returning;
  const { lister, resolution, removal, directory, slices } = context;
  const others = (context.members()?.withinReach ?? []).filter((other) => other !== address);
  await lister.measureClocks([address, ...others], signal);
  const startedAt = Date.now();
  const own = await listOwn(context, address, signal);
  if (own.size === 0) return "clean";
  const elsewhere = await lister.find(others, (id) => own.has(id), signal);
  const copies = new Map<GroupId, readonly FoundCopy[]>();
  const wiped: Removal[] = [];
  const wipedAt = context.wipedAt(address);
  let isInUse = false;
  await slices.visit(own, ([id, copy]) => {
    const { pushTime, pushedAt } = copy;
    copies.set(id, [copy, ...(elsewhere.copies.get(id) ?? [])]);
    if (isWiped(pushedAt, wipedAt)) wiped.push({ id, address, pushTime, carriage: undefined, reason: "deleted" });
    isInUse ||= isNews(context, returning, copy);
  });
  const found = { ...elsewhere, copies, listed: new Set([...elsewhere.listed, address]), startedAt };
  const { removals, undecided } = await resolution.examine(found);
  // Copies elsewhere that turn out to be older are left to an audit: their members take pushes at the moment.
  const here = removals.filter((removal) => removal.address === address);
  const { done, failed, late } = await removal.removeAll([...wiped, ...here], found, signal);
  for (const { id, address: other } of removals) if (other !== address) directory.seen(id, other, startedAt);
  if (late.size > 0) return "more";
  // Other routers push to it already. Waiting until they agree with us would prolong what is waited for.
  if (isInUse) return "clean";
  if (done > 0 || failed.size > 0) return "cleaned";
  return undecided.size > 0 || elsewhere.listed.size < others.length ? "undecided" : "clean";
}

async function listOwn(
  { lister, directory, members, thaws }: AdmissionContext,
  address: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<GroupId, FoundCopy>> {
  const own = new Map<GroupId, FoundCopy>();
  const visit = (copy: FoundCopy, id: GroupId, path: string) => {
    own.set(id, copy);
    thaws.seen(address, copy.pushedAt);
    // At once, so that a push of the group to another member deletes the copy here.
    if (members()?.ownerOf(path)?.address !== address) directory.seen(id, address, Date.now());
  };
  await lister.list(
    address,
    (group) => visit(lister.copyOf(address, group), group.id, group.key.canonicalPath),
    signal,
  );
  return own;
}

async function isAnyDoubtful({ directory, slices }: AdmissionContext, address: string): Promise<boolean> {
  let isAny = false;
  await slices.visit(directory.entries(), ([, { holders }]) => {
    isAny ||= holders.some((holder) => holder.address === address && holder.doubtedAt !== undefined);
  });
  return isAny;
}
