import type { ClusterLister } from "./cluster-lister.ts";
import type { CopyRemoval, Removal } from "./copy-removal.ts";
import { isExpired } from "./group-expiry.ts";
import type { PlacementOptions } from "./placement-surroundings.ts";
import type { PushJournal } from "./push-journal.ts";

export interface ExpiryContext {
  readonly options: () => PlacementOptions;
  readonly lister: ClusterLister;
  readonly removal: CopyRemoval;
  readonly journal: PushJournal;
}

/**
 * Looks which groups of a member have outlived their time, and deletes as many as can be deleted right behind the look: a job that
 * runs once a week may push again at any moment, by ways that this router does not see. Returns whether others are left,
 * which takes another look. Rejects when the member cannot be listed.
 */
export async function expire(context: ExpiryContext, address: string, signal: AbortSignal): Promise<boolean> {
  return await context.journal.during(() => expireOnce(context, address, signal));
}

async function expireOnce(
  { options, lister, removal: copyRemoval }: ExpiryContext,
  address: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { ttl, cleanUpRate } = options();
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
      if (!isExpired(ttl, group.key, lister.lastPushOf(address, group), startedAt)) return;
      visit({ id, address, pushTime, carriage: undefined, reason: "expired" });
    },
    signal,
  );
  const { late } = await copyRemoval.removeAll(removals, { startedAt, endedAt: Date.now() }, signal);
  return isAnyLeft || late.size > 0;
}
