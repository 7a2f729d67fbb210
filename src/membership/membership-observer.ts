import type { ProbeVerdict } from "../pushgateway/probe.ts";

/** Hears what happens in membership, for metrics. Called synchronously; must not throw. */
export interface MembershipObserver {
  /** A discovery mechanism delivered its set of targets. */
  refreshSucceeded(mechanism: string): void;
  /** A discovery mechanism could not be asked, or its answer could not be used. The last set stays. */
  refreshFailed(mechanism: string): void;
  /** One of our own health checks came to its verdict. */
  checked(verdict: ProbeVerdict): void;
  /**
   * The ring was rebuilt because members came or went. Not called for the first ring, nor when a member's state
   * changes.
   */
  resharded(): void;
}

/** Hears nothing. */
export const NOP_OBSERVER: MembershipObserver = {
  refreshSucceeded() {},
  refreshFailed() {},
  checked() {},
  resharded() {},
};
