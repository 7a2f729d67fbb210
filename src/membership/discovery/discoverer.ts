/** A Pushgateway that discovery found, and what its mechanism knows about it. */
export interface Target {
  /** `host:port`, IPv6 hosts in brackets. */
  readonly address: string;
  /** Whether somebody asked it to leave: it gets no pushes any more, but is still scraped. */
  readonly draining: boolean;
  /** What the mechanism's own checks say. `unknown` where it has none, or cannot be asked: our checks decide then. */
  readonly health: "passing" | "critical" | "unknown";
  /**
   * Where `draining` or `health` come from, for people. The same words for the same cause, so that it can be compared.
   */
  readonly reason: string;
}

/**
 * Finds targets by one mechanism.
 *
 * It reports the whole set, without duplicates and sorted by address, as soon as it knows it and again whenever it may
 * have changed. A failed refresh reports nothing new, so that the last good set stays in use; a mechanism that loses
 * sight of its targets reports the same ones with their health unknown.
 */
export interface Discoverer {
  /** Name of the mechanism in logs and metrics: `static`, `consul`. */
  readonly mechanism: string;
  /** Runs until the signal aborts. Resolves then, promptly, and reports nothing afterwards. Never rejects. */
  run(report: (targets: readonly Target[]) => void, signal: AbortSignal): Promise<void>;
}

export function sortedByAddress(targets: Iterable<Target>): readonly Target[] {
  return [...targets].sort((a, b) => (a.address < b.address ? -1 : 1));
}
