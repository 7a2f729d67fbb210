import type { Logger } from "../log.ts";
import type { MemberSet } from "../membership/member-set.ts";
import type { GroupContents } from "../pushgateway/group-contents.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { CleanUp } from "./clean-up.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import type { Directory } from "./directory.ts";
import { ownerOf } from "./group-owner.ts";
import type { GroupReader } from "./group-reader.ts";
import type { KeyGates } from "./key-gates.ts";
import type { Pace } from "./pace.ts";
import type { PushJournal } from "./push-journal.ts";

export interface EvacuationContext {
  readonly members: () => MemberSet | undefined;
  readonly isInFlight: (id: GroupId) => boolean;
  readonly directory: Directory;
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
  /** Groups that are still there: being pushed, already elsewhere, or refused by their owner. */
  readonly left: number;
}

/** Read together and kept until they are written. */
const MAX_BATCH = 500;

/**
 * Moves the groups of a member to their owners at once, rather than with their next push. Their `push_time_seconds` become the time
 * of the move, except at Pushgateways of ours. Groups that their owner has a copy of are left to the audits, which find out which copy counts.
 */
export async function evacuate(
  context: EvacuationContext,
  address: string,
  signal: AbortSignal,
): Promise<EvacuationResult> {
  const ids: GroupId[] = [];
  await context.lister.list(address, ({ id }) => ids.push(id), signal);
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

/**
 * Reads the groups, which takes a while where they are many, then looks who has copies of them, and writes at once: what others push
 * meanwhile must not be overwritten.
 */
async function moveBatch(
  context: EvacuationContext,
  address: string,
  ids: readonly GroupId[],
  signal: AbortSignal,
): Promise<number> {
  const groups = await readAll(context, address, ids);
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
  { lister, members }: EvacuationContext,
  address: string,
  groups: readonly ReadGroup[],
  signal: AbortSignal,
): Promise<readonly MovableGroup[]> {
  const wanted = new Set(groups.map(({ id }) => id));
  const holders = new Set([address, ...groups.flatMap(({ id }) => ownerOf(members(), id) ?? [])]);
  const { copies, listed, startedAt } = await lister.find([...holders], (id) => wanted.has(id), signal);
  return groups.flatMap(({ id, contents }) => {
    const to = ownerOf(members(), id);
    const [own, ...others] = copies.get(id) ?? [];
    const isUnchanged = own?.address === address && own.pushTime === contents.pushTime && others.length === 0;
    return isUnchanged && to !== undefined && to !== address && listed.has(to)
      ? [{ id, contents, to, lookedAt: startedAt }]
      : [];
  });
}

async function move(context: EvacuationContext, group: MovableGroup, from: string): Promise<boolean> {
  const { id, contents, to, lookedAt } = group;
  const { gates, members, isInFlight, cleanUp, directory, journal } = context;
  return await gates.close(id, async () => {
    if (ownerOf(members(), id) !== to || isInFlight(id) || journal.has(id, lookedAt)) return false;
    if (!(await cleanUp.store(id, contents, to))) return false;
    const now = Date.now();
    directory.acknowledged(id, { address: to, wholeAt: now, at: now }, [from]);
    const isGone = await cleanUp.remove(id, from, "evacuated", contents.pushTime);
    directory.dropIfAtHome(id, to);
    return isGone;
  });
}
