import type { ListedGroup } from "../pushgateway/group-json.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import type { CopyRemoval, Removal } from "./copy-removal.ts";
import { isExpired, isWiped } from "./group-expiry.ts";
import type { PlacementOptions } from "./placement-surroundings.ts";
import type { PushJournal } from "./push-journal.ts";

export interface ExpiryContext {
  readonly options: () => PlacementOptions;
  readonly lister: ClusterLister;
  readonly removal: CopyRemoval;
  readonly journal: PushJournal;
  /** When all groups were wiped while the member was out of reach, in milliseconds by this router's clock; undefined: never. */
  readonly wipedAt: (address: string) => number | undefined;
}

/** Why a member's copy should be there no more; undefined: it may stay. */
export function reasonToGo(
  { options, lister, wipedAt }: Pick<ExpiryContext, "options" | "lister" | "wipedAt">,
  address: string,
  group: ListedGroup,
  now: number,
): "expired" | "deleted" | undefined {
  const wiped = wipedAt(address);
  if (wiped !== undefined && isWiped(lister.localTime(address, group.pushTime), wiped)) return "deleted";
  const { ttl } = options();
  if (ttl.length === 0) return undefined;
  return isExpired(ttl, group.key, lister.lastPushOf(address, group), now) ? "expired" : undefined;
}

/**
 * Looks which groups of a member have outlived their time or a wipe, and deletes as many as can be deleted right behind the look: a job that
 * runs once a week may push again at any moment, by ways that this router does not see. Returns whether others are left,
 * which takes another look. Rejects when the member cannot be listed.
 */
export async function expire(context: ExpiryContext, address: string, signal: AbortSignal): Promise<boolean> {
  return await context.journal.during(() => expireOnce(context, address, signal));
}

async function expireOnce(context: ExpiryContext, address: string, signal: AbortSignal): Promise<boolean> {
  const { lister, removal: copyRemoval } = context;
  const { cleanUpRate } = context.options();
  const removals: Removal[] = [];
  let isAnyLeft = false;
  await lister.measureClocks([address], signal);
  const startedAt = Date.now();
  const visit = (removal: Removal) => {
    if (removals.length < cleanUpRate) removals.push(removal);
    else isAnyLeft = true;
  };
  await lister.list(
    address,
    (group) => {
      const { id, pushTime } = group;
      const reason = reasonToGo(context, address, group, startedAt);
      if (reason !== undefined) visit({ id, address, pushTime, carriage: undefined, reason });
    },
    signal,
  );
  const { late } = await copyRemoval.removeAll(removals, { startedAt, endedAt: Date.now() }, signal);
  return isAnyLeft || late.size > 0;
}
