import type { Logger } from "../log.ts";
import type { MemberSet } from "../membership/member-set.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { CleanUp } from "./clean-up.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import type { Directory } from "./directory.ts";
import { ownerOf } from "./group-owner.ts";
import type { GroupReader } from "./group-reader.ts";
import type { KeyGates } from "./key-gates.ts";
import type { Pace } from "./pace.ts";

export interface EvacuationContext {
  readonly members: () => MemberSet | undefined;
  readonly isInFlight: (id: GroupId) => boolean;
  readonly directory: Directory;
  readonly lister: ClusterLister;
  readonly reader: GroupReader;
  readonly cleanUp: CleanUp;
  readonly gates: KeyGates;
  readonly pace: Pace;
  readonly log: Logger;
}

export interface EvacuationResult {
  readonly moved: number;
  /** Groups that are still there: being pushed, already elsewhere, or refused by their owner. */
  readonly left: number;
}

/** Read and written together: enough to be worth a listing, few enough that no push of one waits long. */
const BATCH = 200;

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
  for (let i = 0; i < ids.length; i += BATCH)
    moved += await moveBatch(context, address, ids.slice(i, i + BATCH), signal);
  context.log.info("Evacuated a member", { member: address, moved, left: ids.length - moved });
  return { moved, left: ids.length - moved };
}

async function moveBatch(
  context: EvacuationContext,
  address: string,
  ids: readonly GroupId[],
  signal: AbortSignal,
): Promise<number> {
  const { lister, members, pace } = context;
  const wanted = new Set(ids);
  const owners = new Set(ids.flatMap((id) => ownerOf(members(), id) ?? []));
  owners.delete(address);
  const { copies, listed } = await lister.find([...owners], (id) => wanted.has(id), signal);
  const movable = ids.filter((id) => {
    const owner = ownerOf(members(), id);
    return owner !== undefined && owners.has(owner) && listed.has(owner) && !copies.has(id);
  });
  let moved = 0;
  await pace.each(
    movable,
    (id) => ownerOf(members(), id) ?? "",
    signal,
    async (id) => {
      if (await move(context, id, address)) moved++;
    },
  );
  return moved;
}

async function move(context: EvacuationContext, id: GroupId, from: string): Promise<boolean> {
  const { gates, members, isInFlight, reader, cleanUp, directory } = context;
  return await gates.close(id, async () => {
    const to = ownerOf(members(), id);
    if (to === undefined || to === from || isInFlight(id)) return false;
    const contents = await reader.read(from, id).catch(() => undefined);
    if (contents === undefined || contents.incomplete) return false;
    if (!(await cleanUp.store(id, contents, to))) return false;
    directory.acknowledged(id, { address: to, isWhole: true, at: Date.now() }, [from]);
    const isGone = await cleanUp.remove(id, from, "evacuated");
    directory.dropIfAtHome(id, to);
    return isGone;
  });
}
