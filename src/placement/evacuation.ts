import type { Logger } from "../log.ts";
import type { MemberSet } from "../membership/member-set.ts";
import type { GroupContents } from "../pushgateway/group-contents.ts";
import type { ListedGroup } from "../pushgateway/group-json.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { CleanUp } from "./clean-up.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import type { Directory, Holder } from "./directory.ts";
import type { Doubts } from "./doubts.ts";
import { ownerOf } from "./group-owner.ts";
import type { GroupReader } from "./group-reader.ts";
import type { KeyGates } from "./key-gates.ts";
import { earliestMs, type LocalTime } from "./member-clocks.ts";
import type { Pace } from "./pace.ts";
import type { PushJournal } from "./push-journal.ts";

export interface EvacuationContext {
  readonly members: () => MemberSet | undefined;
  readonly isInFlight: (id: GroupId) => boolean;
  /** Whether all members can be looked at every second. */
  readonly isLookCheap: () => boolean;
  readonly directory: Directory;
  readonly doubts: Doubts;
  readonly lister: ClusterLister;
  readonly reader: GroupReader;
  readonly cleanUp: CleanUp;
  readonly gates: KeyGates;
  readonly pace: Pace;
  readonly journal: PushJournal;
  readonly log: Logger;
}

export interface EvacuationResult {
  readonly moved: number;
  /** Groups that are still there: being pushed, refused by their owner, or not known to count. */
  readonly left: number;
}

/** Read together and kept until they are written. */
const MAX_BATCH = 500;

/**
 * Moves the groups of a draining member to their owners at once, rather than with their next push. Their `push_time_seconds` become
 * the time of the move, except at Pushgateways of ours, so that they look newer than any other copy. Groups that were deleted, that may
 * have another copy, or whose copy here is in doubt, are therefore left to the audits, which find out which copy counts.
 */
export async function evacuate(
  context: EvacuationContext,
  address: string,
  signal: AbortSignal,
): Promise<EvacuationResult> {
  const ids: GroupId[] = [];
  await context.lister.measureClocks([address], signal);
  await context.lister.list(address, ({ id }) => ids.push(id), signal);
  // Once at least, as an audit does: the last audit may be from before the member was drained.
  const isSeen = context.isLookCheap() || (await lookEverywhere(context, address, ids, signal));
  let moved = 0;
  for (let next = 0; isSeen && next < ids.length; ) {
    // What is written within a second of the look at who has a copy by then.
    const batch = context.pace.withinASecond(ids.slice(next, next + MAX_BATCH), () => address);
    moved += await context.journal.during(() => moveBatch(context, address, batch, signal));
    next += batch.length;
  }
  context.log.info("Evacuated a member", { member: address, moved, left: ids.length - moved });
  return { moved, left: ids.length - moved };
}

/** Has the directory remember which other members within reach hold copies of the groups. False: one of them could not be listed. */
async function lookEverywhere(
  { lister, members, directory }: EvacuationContext,
  from: string,
  ids: readonly GroupId[],
  signal: AbortSignal,
): Promise<boolean> {
  const wanted = new Set(ids);
  const others = (members()?.withinReach ?? []).filter((other) => other !== from);
  const startedAt = Date.now();
  const visit = (address: string, { id }: ListedGroup) => {
    if (wanted.has(id)) directory.seen(id, address, startedAt);
  };
  return (await lister.listAll(others, visit, signal)).size === 0;
}

/**
 * Reads the groups, and looks everywhere, which takes a while where they are many, or a member hangs. Then it looks where pushes of
 * them go, and writes at once: what others push meanwhile must not be overwritten.
 */
async function moveBatch(
  context: EvacuationContext,
  address: string,
  ids: readonly GroupId[],
  signal: AbortSignal,
): Promise<number> {
  // What is acknowledged from here on makes the group another one than the one that is read.
  const lookedAt = Date.now();
  const groups = await readAll(context, address, ids);
  // One that cannot be listed may have what is newest.
  if (context.isLookCheap() && !(await lookEverywhere(context, address, ids, signal))) return 0;
  const movable = await selectMovable(context, address, groups, signal);
  let moved = 0;
  await context.pace.each(
    movable,
    ({ to }) => to,
    signal,
    async (group) => {
      if (await move(context, group, address, lookedAt)) moved++;
    },
  );
  return moved;
}

interface ReadGroup {
  readonly id: GroupId;
  readonly contents: GroupContents;
}

interface MovableGroup extends ReadGroup {
  /** Its owner at the time of the look. */
  readonly to: string;
  /** When the member says that it was last pushed to, by this router's clock. */
  readonly pushedAt: LocalTime;
}

/** Those that can be read, and carried in full. */
async function readAll(
  { reader }: EvacuationContext,
  address: string,
  ids: readonly GroupId[],
): Promise<readonly ReadGroup[]> {
  const groups = await Promise.all(
    ids.map(async (id) => {
      const contents = await reader.read(address, id).catch(() => undefined);
      return contents === undefined || contents.incomplete ? [] : [{ id, contents }];
    }),
  );
  return groups.flat();
}

/** Those that nobody has pushed to since they were read, and that have no copy but this one. */
async function selectMovable(
  context: EvacuationContext,
  address: string,
  groups: readonly ReadGroup[],
  signal: AbortSignal,
): Promise<readonly MovableGroup[]> {
  const { lister, members } = context;
  const wanted = new Set(groups.map(({ id }) => id));
  const holders = new Set([address, ...groups.flatMap(({ id }) => ownerOf(members(), id) ?? [])]);
  const { copies, listed } = await lister.find([...holders], (id) => wanted.has(id), signal);
  return groups.flatMap(({ id, contents }) => {
    const to = ownerOf(members(), id);
    const [own, ...others] = copies.get(id) ?? [];
    const isUnchanged = own?.address === address && own.pushTime === contents.pushTime && others.length === 0;
    if (!isUnchanged || to === undefined || to === address || !listed.has(to)) return [];
    const group = { id, contents, to, pushedAt: own.pushedAt };
    return isKnownToCount(context, group, address) ? [group] : [];
  });
}

/**
 * Whether all that is known of the group agrees with its copy on that member being the last push, and the only copy. Once it is moved,
 * it would win over a deletion, and over newer copies on members that are not its owner or out of reach.
 */
export function isKnownToCount(
  { directory, doubts, members }: Pick<EvacuationContext, "directory" | "doubts" | "members">,
  { id, to, pushedAt }: Pick<MovableGroup, "id" | "to" | "pushedAt">,
  from: string,
): boolean {
  const { truth, holders = [] } = directory.get(id) ?? {};
  const isHolder = (member: string | undefined) => holders.some(({ address }) => address === member);
  // A push through another router may have come after a deletion, or after a push that is gone.
  const isNewer = truth !== undefined && !isHolder(truth.address) && earliestMs(pushedAt) > truth.at;
  if (truth !== undefined && truth.address !== from && !isNewer) return false;
  // What is out of reach, and older than a push that replaced all of it, is deleted when it is back.
  const isWhole = truth?.address === from && truth.wholeAt !== undefined;
  const isHarmless = ({ address, doubtedAt }: Holder) => {
    if (address === from) return true;
    // The look tells what the owner holds, but not what it may still apply.
    return doubtedAt === undefined && (address === to || (isWhole && members()?.isWithinReach(address) !== true));
  };
  return holders.every(isHarmless) && doubts.about(id, from, pushedAt) === undefined;
}

async function move(context: EvacuationContext, group: MovableGroup, from: string, lookedAt: number): Promise<boolean> {
  const { id, contents, to } = group;
  const { gates, members, isInFlight, cleanUp, directory, journal } = context;
  return await gates.close(id, async () => {
    const set = members();
    if (set?.stateOf(from) !== "draining" || ownerOf(set, id) !== to) return false;
    if (isInFlight(id) || journal.has(id, lookedAt) || !isKnownToCount(context, group, from)) return false;
    if (!(await cleanUp.store(id, contents, to))) return false;
    const now = Date.now();
    directory.acknowledged(id, { address: to, wholeAt: now, at: now }, [from]);
    const isGone = await cleanUp.remove(id, from, "evacuated", contents.pushTime);
    directory.dropIfAtHome(id, to);
    return isGone;
  });
}
