/**
 * What we believe of one member's health. Immutable; `nextHealth` makes the next one.
 *
 * - `unchecked`: nothing is known yet.
 * - `up`: in service.
 * - `joining`: it passes its checks again, but not often enough in a row to be trusted.
 * - `down`: out of service.
 */
export interface Health {
  readonly phase: "unchecked" | "up" | "joining" | "down";
  /** Checks in a row: failed ones while `up` or `down`, passed ones while `joining`. */
  readonly streak: number;
  /** How often in a row it fell soon after a return. Each time doubles what the next return takes, up to a limit. */
  readonly relapses: number;
  /** When it last came back, in milliseconds since the Unix epoch. Undefined until it has fallen and returned once. */
  readonly returnedAt: number | undefined;
  /** As `Member.unansweredAt`. */
  readonly unansweredAt: number | undefined;
  /** Discovery calls it critical while our own checks do not. They may save it until `endsAt`, as `now` counts. */
  readonly accusation: { readonly reason: string; readonly endsAt: number } | undefined;
  /** What put it into this phase, for people. */
  readonly reason: string;
}

export type HealthEvent =
  /** A check of our own passed. */
  | { readonly type: "passed"; readonly reason: string }
  /** A check of our own failed: for certain when nobody listens there, otherwise in a way that may be an accident. */
  | { readonly type: "failed"; readonly certain: boolean; readonly reason: string }
  /** A push could not be delivered: it went unanswered (`isSilent`), or nobody listens there. */
  | { readonly type: "condemned"; readonly isSilent: boolean; readonly reason: string }
  /**
   * Discovery calls the member critical. Final for a member that is not in service; one that is may be saved by our own
   * checks.
   */
  | { readonly type: "accused"; readonly reason: string }
  /** Discovery calls the member passing. Good enough for a member we have nothing against. */
  | { readonly type: "vouched"; readonly reason: string }
  /** Discovery has no word on the member's health. */
  | { readonly type: "unvouched" }
  /** A joining member has proved itself and is ready to take pushes. */
  | { readonly type: "admitted" };

export interface HealthRules {
  /** Failed checks in a row that take a member out. */
  readonly failuresBeforeDown: number;
  /** Passed checks in a row that bring it back, when it has not relapsed. */
  readonly successesBeforeActive: number;
  /** A member that stays up for this long after a return has made good its relapses, in milliseconds. */
  readonly steadyMs: number;
  /** How long discovery must insist that a member is critical which passes our own checks, in milliseconds. */
  readonly contestMs: number;
}

/** Where every member starts. */
export const UNCHECKED: Health = {
  phase: "unchecked",
  streak: 0,
  relapses: 0,
  returnedAt: undefined,
  unansweredAt: undefined,
  accusation: undefined,
  reason: "not checked yet",
};

/** With the default of two successes and a check each second, a notorious member waits for half a minute. */
const MAX_RELAPSES = 4;
/** A fall is most often a restart, so the first checks after it come as fast as those of a joining member. */
const QUICK_CHECKS_AFTER_FALL = 5;
const QUICK_CHECKS_PER_INTERVAL = 5;

/**
 * Flap damping as a function. A member leaves after failures in a row, or at once when its trouble is certain. It
 * returns after successes in a row, and each time it falls again soon afterwards its next return takes twice as many: a
 * member that flaps every second soon stays out, while one that restarts is back in a moment. Its first check, however,
 * decides at once.
 */
export function nextHealth(health: Health, event: HealthEvent, rules: HealthRules, now: number): Health {
  switch (event.type) {
    case "passed":
      return afterPass(health, event.reason, rules, now);
    case "failed":
      return afterFailure({ ...health, unansweredAt: event.certain ? undefined : now }, event, rules, now);
    case "condemned":
      return fallen({ ...health, unansweredAt: event.isSilent ? now : undefined }, event.reason, rules, now);
    case "accused":
      return afterAccusation(health, event.reason, rules, now);
    case "vouched":
      return afterVouching(health, event.reason);
    case "unvouched":
      return { ...health, accusation: undefined };
    case "admitted":
      return { ...health, phase: "up", streak: 0, returnedAt: now, reason: "is back" };
  }
}

/** Whether a joining member has passed enough checks in a row to be admitted. */
export function hasProvedItself(health: Health, rules: HealthRules): boolean {
  return health.phase === "joining" && health.streak >= rules.successesBeforeActive * 2 ** health.relapses;
}

/** How long to wait before the next check: a whole interval when nothing is in doubt, a fraction of it otherwise. */
export function checkDelayMs({ phase, streak, accusation }: Health, intervalMs: number): number {
  const isSettled =
    phase === "down" ? streak >= QUICK_CHECKS_AFTER_FALL : phase === "up" && streak === 0 && !accusation;
  return isSettled ? intervalMs : intervalMs / QUICK_CHECKS_PER_INTERVAL;
}

function afterPass(health: Health, reason: string, rules: HealthRules, now: number): Health {
  if (health.accusation !== undefined && now >= health.accusation.endsAt) {
    return fallen(health, health.accusation.reason, rules, now);
  }
  switch (health.phase) {
    case "unchecked":
    case "up":
      return { ...health, phase: "up", streak: 0, reason };
    case "joining":
      return { ...health, streak: health.streak + 1 };
    case "down":
      return { ...health, phase: "joining", streak: 1, reason: "is back, and proves itself" };
  }
}

type Failure = HealthEvent & { readonly type: "failed" };

function afterFailure(health: Health, { certain, reason }: Failure, rules: HealthRules, now: number): Health {
  if (health.phase === "down") return { ...health, streak: health.streak + 1, reason };
  // Two witnesses are enough.
  const isConvincing = certain || health.accusation !== undefined || health.streak + 1 >= rules.failuresBeforeDown;
  if (health.phase === "up" && !isConvincing) return { ...health, streak: health.streak + 1 };
  return fallen(health, reason, rules, now);
}

function afterAccusation(health: Health, reason: string, rules: HealthRules, now: number): Health {
  if (health.phase !== "up") return fallen(health, reason, rules, now);
  return { ...health, accusation: { reason, endsAt: health.accusation?.endsAt ?? now + rules.contestMs } };
}

function afterVouching(health: Health, reason: string): Health {
  const isTrusted = health.phase === "unchecked" || health.phase === "up";
  return isTrusted
    ? { ...health, phase: "up", streak: 0, accusation: undefined, reason }
    : { ...health, accusation: undefined };
}

function fallen(health: Health, reason: string, rules: HealthRules, now: number): Health {
  if (health.phase === "down") return { ...health, reason };
  const relapses = relapsesAfterFall(health, rules, now);
  return { ...health, phase: "down", streak: 0, relapses, accusation: undefined, reason };
}

function relapsesAfterFall(health: Health, rules: HealthRules, now: number): number {
  // A member that fails on its way back never took a push, so it has moved no keys.
  if (health.phase !== "up") return health.relapses;
  if (health.returnedAt === undefined || now - health.returnedAt >= rules.steadyMs) return 0;
  return Math.min(health.relapses + 1, MAX_RELAPSES);
}
