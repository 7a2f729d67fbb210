/**
 * Where a member stands on its way into and out of the ring.
 *
 * - `joining`: up, but not yet trusted with pushes.
 * - `active`: takes pushes for the keys it owns.
 * - `draining`: takes no pushes any more, is still scraped.
 * - `down`: cannot be reached, or its health check fails.
 */
export type MemberState = "joining" | "active" | "draining" | "down";

/** A target as the ring knows it: one Pushgateway and its state. Immutable; a change makes a new one. */
export interface Member {
  /** `host:port`, IPv6 hosts in brackets. The member's identity and its name on the hash ring. */
  readonly address: string;
  readonly state: MemberState;
  /** Whether it was asked to leave. Stays true while it is down, so that it gets no pushes when it comes back. */
  readonly draining: boolean;
  /** When the state was entered, in milliseconds since the Unix epoch. */
  readonly since: number;
  /**
   * When it last left a check or a push unanswered, in milliseconds since the Unix epoch. Absent: it never did, or nobody has listened
   * there since, so that nothing can be waiting in its sockets any more.
   */
  readonly unansweredAt?: number | undefined;
  /** Why it is in this state, for people: a log line, a status page. Never parsed. */
  readonly reason: string;
}
