import type { Logger } from "../log.ts";
import type { MemberSet } from "../membership/member-set.ts";
import type { GroupContents } from "../pushgateway/group-contents.ts";
import type { ListedGroup } from "../pushgateway/group-json.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { CleanUp } from "./clean-up.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import type { Directory } from "./directory.ts";
import type { Doubts } from "./doubts.ts";
import { ownerOf } from "./group-owner.ts";
import type { GroupReader } from "./group-reader.ts";
import type { KeyGates } from "./key-gates.ts";
import type { LocalTime } from "./member-clocks.ts";
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
  if (!context.isLookCheap()) await lookEverywhere(context, address, ids, signal);
  let moved = 0;
  for (let next = 0; next < ids.length; ) {
    // What is written within a second of the look at who has a copy by then.
    const batch = context.pace.withinASecond(ids.slice(next, next + MAX_BATCH), () => address);
    moved += await context.journal.during(() => moveBatch(context, address, batch, signal));
    next += batch.length;
  }
  context.log.info("Evacuated a member", { member: address, moved, left: ids.length - moved });
  return { moved, left: ids.length - moved };
}

/** Has the directory remember which other members within reach hold copies of the groups. */
async function lookEverywhere(
  { lister, members, directory }: EvacuationContext,
  from: string,
  ids: readonly GroupId[],
  signal: AbortSignal,
): Promise<void> {
  const wanted = new Set(ids);
  const others = (members()?.withinReach ?? []).filter((other) => other !== from);
  const startedAt = Date.now();
  const visit = (address: string, { id }: ListedGroup) => {
    if (wanted.has(id)) directory.seen(id, address, startedAt);
  };
  await lister.listAll(others, visit, signal);
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
  const groups = await readAll(context, address, ids);
  if (context.isLookCheap()) await lookEverywhere(context, address, ids, signal);
  const movable = await selectMovable(context, address, groups, signal);
  let moved = 0;
  await context.pace.each(
    movable,
    ({ to }) => to,
    signal,
    async (group) => {
      if (await move(context, group, address)) moved++;
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
  /** When the look began, in milliseconds by this router's clock. */
  readonly lookedAt: number;
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
  const { copies, listed, startedAt } = await lister.find([...holders], (id) => wanted.has(id), signal);
  return groups.flatMap(({ id, contents }) => {
    const to = ownerOf(members(), id);
    const [own, ...others] = copies.get(id) ?? [];
    const isUnchanged = own?.address === address && own.pushTime === contents.pushTime && others.length === 0;
    if (!isUnchanged || to === undefined || to === address || !listed.has(to)) return [];
    const group = { id, contents, to, pushedAt: own.pushedAt, lookedAt: startedAt };
    return isKnownToCount(context, group, address) ? [group] : [];
  });
}

/**
 * Whether all that is known of the group agrees with its copy on that member being the last push, and the only copy. Once it is moved,
 * it would win over a deletion, and over newer copies on members that are not its owner or out of reach.
 */
export function isKnownToCount(
  { directory, doubts }: Pick<EvacuationContext, "directory" | "doubts">,
  { id, to, pushedAt }: Pick<MovableGroup, "id" | "to" | "pushedAt">,
  from: string,
): boolean {
  const { truth, holders = [] } = directory.get(id) ?? {};
  if (truth !== undefined && truth.address !== from) return false;
  // The look tells what the owner holds, but not what it may still apply.
  const isHeldElsewhere = holders.some(
    ({ address, doubtedAt }) => address !== from && (address !== to || doubtedAt !== undefined),
  );
  return !isHeldElsewhere && doubts.about(id, from, pushedAt) === undefined;
}

async function move(context: EvacuationContext, group: MovableGroup, from: string): Promise<boolean> {
  const { id, contents, to, lookedAt } = group;
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
