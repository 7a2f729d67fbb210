import type { GroupingKey } from "../sharding/grouping-key.ts";
import { earliestMs, type LocalTime, latestMs } from "./member-clocks.ts";

/** Groups that match are deleted when they have not been pushed for longer than `afterMs`. */
export interface ExpiryRule {
  readonly matches: (key: GroupingKey) => boolean;
  readonly afterMs: number;
}

/**
 * Whether the group's time is over by the first rule that it matches. `pushedAt`: when it was last pushed to, accepted or not,
 * in seconds by this router's clock; the uncertainty of that counts in the group's favour.
 */
export function isExpired(rules: readonly ExpiryRule[], key: GroupingKey, pushedAt: LocalTime, now: number): boolean {
  if (rules.length === 0) return false;
  const rule = rules.find(({ matches }) => matches(key));
  return rule !== undefined && now - latestMs(pushedAt) > rule.afterMs;
}

/**
 * Whether the group was there when all were wiped, at `wipedAt` in milliseconds by this router's clock. In doubt about its member's clock it
 * was, since the member was out of reach at that time.
 */
export function isWiped(pushedAt: LocalTime, wipedAt: number | undefined): boolean {
  return wipedAt !== undefined && earliestMs(pushedAt) < wipedAt;
}
