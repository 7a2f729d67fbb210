import type { Logger } from "../log.ts";
import type { MemberSet } from "../membership/member-set.ts";
import type { PushgatewayClients } from "../pushgateway/pushgateway-clients.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { WorkSlices } from "../work-slices.ts";
import type { ExpiryRule } from "./group-expiry.ts";

/** How placement goes about its work. */
export interface PlacementOptions {
  /** Time between two audits, jittered by a tenth either way. */
  readonly auditIntervalMs: number;
  /** Copies that are deleted in the background from one member within a second. */
  readonly cleanUpRate: number;
  readonly ttl: readonly ExpiryRule[];
  /** So long after a member has come back every router with the same configuration has noticed. */
  readonly noticeMs: number;
  /** Must equal the Pushgateways' own --push.enable-utf8-names. */
  readonly utf8Names: boolean;
}

/** Hears what placement does, for metrics. Must not throw. */
export interface PlacementObserver {
  /** A copy that does not count, or is presumed to, was deleted. */
  copyRemoved(reason: RemovalReason): void;
  /** Families were carried to a member that lacked them. */
  familiesCarried(families: number): void;
  /** A member did not do what it was asked. It will be asked again. */
  cleanUpFailed(): void;
  /** All members were looked at, in so many seconds. `unreadable`: so many could not be. */
  audited(seconds: number, unreadable: number): void;
}

/**
 * Why a copy was deleted. `moved`: a push of its group was acknowledged elsewhere. `stale`: a newer copy was found.
 * `expired`: its time to live was over. `evacuated`: its contents were moved at an operator's word. `deleted`: its group was
 * deleted while it was out of reach.
 */
export type RemovalReason = "moved" | "stale" | "expired" | "evacuated" | "deleted";

/** What placement needs of the rest of the router. */
export interface PlacementSurroundings {
  readonly members: () => MemberSet | undefined;
  readonly clients: PushgatewayClients;
  /** Whether a push of this group is on its way. */
  readonly isInFlight: (id: GroupId) => boolean;
  readonly slices: WorkSlices;
  readonly observer: PlacementObserver;
  readonly log: Logger;
}
