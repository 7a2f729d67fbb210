import type { BenchContext } from "../bench-context.ts";
import type { DoubleMembers, PlacedGroup } from "./double-members.ts";
import type { MeasuredRouter } from "./measured-router.ts";
import { groupKey, type Push } from "./push-load.ts";

/** What the parts of the benchmark share. */
export interface Cluster {
  readonly context: BenchContext;
  readonly members: DoubleMembers;
  /** All of them at home. */
  readonly groups: readonly PlacedGroup[];
  /** A router for which all groups are where they belong, and which looks no more after its first audit. */
  readonly home: MeasuredRouter;
}

export const NO_AUDITS = "1d";

/** Numbers from here on are of groups that no member holds at the start. */
const FRESH = 10_000_000;
const FRESH_GROUPS = 2_000;

/**
 * Parts of all groups, in thousandths, for uses that would spoil each other's: what is pushed through a router that goes by the aliases
 * is misplaced for `home` from then on.
 */
const PARTS = { home: [0, 350], moving: [350, 500], stale: [500, 1_000] } as const;

export function partOf(groups: readonly PlacedGroup[], name: keyof typeof PARTS): readonly PlacedGroup[] {
  const [start, end] = PARTS[name];
  return groups.slice((groups.length * start) / 1_000, (groups.length * end) / 1_000);
}

/** Pushes of these groups in turn, over and over. */
export function* pushesOf(router: MeasuredRouter, groups: readonly PlacedGroup[]): Generator<Push, never> {
  for (let i = 0; ; i++) yield { address: router.address, key: (groups[i % groups.length] as PlacedGroup).key };
}

/** Pushes of groups that nobody holds, in turn, over and over. To go through a router that goes by the aliases. */
export function* freshPushes(router: MeasuredRouter): Generator<Push, never> {
  for (let i = 0; ; i++) yield { address: router.address, key: groupKey(FRESH + (i % FRESH_GROUPS)) };
}
