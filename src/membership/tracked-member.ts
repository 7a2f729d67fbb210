import { describeError, type Logger } from "../log.ts";
import { isInService, type ProbeResult, type ProbeVerdict, probe } from "../pushgateway/probe.ts";
import type { Target } from "./discovery/discoverer.ts";
import {
  checkDelayMs,
  type Health,
  type HealthEvent,
  type HealthRules,
  hasProvedItself,
  nextHealth,
  UNCHECKED,
} from "./health.ts";
import type { Member, MemberState } from "./member.ts";
import type { MembershipObserver } from "./membership-observer.ts";

/** How members are checked, and what the results mean. */
export interface HealthCheckOptions {
  /** Time between two checks of a member whose state is not in doubt. Jittered by a fifth either way. */
  readonly intervalMs: number;
  /** Deadline of one check. */
  readonly timeoutMs: number;
  /** Request target of the check, normally `/-/healthy`. */
  readonly path: string;
  /** Failed checks in a row that take a member out. A refused connection takes it out at once. */
  readonly failuresBeforeDown: number;
  /** Passed checks in a row that bring a member back. */
  readonly successesBeforeActive: number;
}

/** What a tracked member needs of its surroundings. */
export interface TrackedMemberContext {
  /** Asked anew for every check, so that a reload takes effect without losing what is known. */
  readonly healthCheck: () => HealthCheckOptions;
  readonly log: Logger;
  readonly observer: MembershipObserver;
  /**
   * Does whatever must be done before a member takes pushes that comes back, or comes new to a router that is at work. Rejects only
   * when aborted.
   */
  readonly prepare: (address: string, signal: AbortSignal) => Promise<void>;
}

const JITTER = 0.2;
/** The longest time between two checks of a member. */
export function longestCheckDelayMs(intervalMs: number): number {
  return intervalMs * (1 + JITTER);
}

/** How long a newcomer may be prepared before it takes pushes all the same. */
const UNSEEN_TIMEOUT_MS = 10_000;
/** A member in service for so many check intervals after its return is steady again. */
const STEADY_INTERVALS = 12;
/**
 * For so many check intervals discovery must insist that a member is critical which passes our own checks. A Consul
 * agent that restarts calls everything critical until its own checks have run, which takes up to one interval
 * (test/assumptions/consul.test.ts).
 */
const CONTEST_INTERVALS = 2;

/**
 * One target over time: joins what discovery says about it with what we see ourselves, and has it checked while there
 * is a question that only our own checks can answer. That is always so when the mechanism has no word on health. When
 * it has, `passing` does not bring back a member that we saw fail: our own checks do. And `critical` takes a member out
 * that fails the next check of our own, or whatever that says when the mechanism insists; then it is final, until the
 * mechanism takes it back.
 */
export class TrackedMember {
  readonly address: string;
  readonly #context: TrackedMemberContext;
  readonly #changed: () => void;
  /**
   * Whether it comes new to others that are at work. Nobody sees such a member before it is prepared: whom it replaces hands over
   * its keys to it at once.
   */
  #mustPrepareUnseen: boolean;
  #target: Target;
  #health: Health = UNCHECKED;
  #member: Member | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #check: AbortController | undefined;
  #preparation: AbortController | undefined;
  #lastVerdict: ProbeVerdict | undefined;
  #isStopped = false;

  /** Does nothing until the first `retarget`. Calls `changed` after `member` has become another one. */
  constructor(target: Target, context: TrackedMemberContext, isNewcomer: boolean, changed: () => void) {
    this.address = target.address;
    this.#mustPrepareUnseen = isNewcomer;
    this.#target = target;
    this.#context = context;
    this.#changed = changed;
  }

  /** The member as others should see it, or undefined until its first check is done. */
  get member(): Member | undefined {
    return this.#member;
  }

  get target(): Target {
    return this.#target;
  }

  /** Takes over what discovery reports now. */
  retarget(target: Target): void {
    this.#target = target;
    this.#apply(eventOfTarget(target));
  }

  /** Takes the member out at once. Our own checks decide when it returns, whatever discovery says. */
  condemn(reason: string, isSilent: boolean): void {
    this.#apply({ type: "condemned", isSilent, reason });
  }

  /** Ends its checks. Nothing changes any more. */
  stop(): void {
    this.#isStopped = true;
    this.#cancelCheck();
    this.#preparation?.abort();
  }

  #apply(event: HealthEvent): void {
    if (this.#isStopped) return;
    const before = this.#health;
    const next = nextHealth(before, event, this.#rules(), Date.now());
    if (this.#mustPrepareUnseen && before.phase === "unchecked" && next.phase === "up") {
      this.#prepareUnseen(event);
      return;
    }
    this.#health = next;
    const isAccused = next.accusation !== undefined && before.accusation === undefined;
    const hasFallen = next.phase === "down" && before.phase !== "down";
    // What was planned for a member in good health comes too late for one in doubt.
    if (isAccused || hasFallen) this.#cancelCheck();
    if (hasFallen) this.#cancelPreparation();
    if (isAccused) this.#runCheck();
    this.#planCheck();
    this.#publish();
    if (hasProvedItself(this.#health, this.#rules())) this.#prepare(() => this.#apply({ type: "admitted" }));
  }

  /** The one way into service for a member that returns, and for one that comes new to others. */
  #prepare(then: () => void): void {
    if (this.#preparation !== undefined) return;
    const preparation = new AbortController();
    this.#preparation = preparation;
    this.#context.prepare(this.address, preparation.signal).then(
      () => {
        if (preparation.signal.aborted) return;
        then();
        this.#preparation = undefined;
      },
      () => {},
    );
  }

  #prepareUnseen(event: HealthEvent): void {
    if (this.#preparation !== undefined) return;
    const goOn = () => {
      this.#mustPrepareUnseen = false;
      this.#apply(event);
    };
    this.#prepare(goOn);
    // The whole list waits for its newcomers. What is left undone after this is left to audits: nobody may go on cleaning a member
    // that takes pushes.
    setTimeout(() => {
      if (!this.#mustPrepareUnseen || this.#health.phase !== "unchecked") return;
      this.#cancelPreparation();
      goOn();
    }, UNSEEN_TIMEOUT_MS);
  }

  #cancelPreparation(): void {
    this.#preparation?.abort();
    this.#preparation = undefined;
  }

  #rules(): HealthRules {
    const { intervalMs, failuresBeforeDown, successesBeforeActive } = this.#context.healthCheck();
    return {
      failuresBeforeDown,
      successesBeforeActive,
      steadyMs: STEADY_INTERVALS * intervalMs,
      contestMs: CONTEST_INTERVALS * intervalMs,
    };
  }

  #publish(): void {
    const next = describeMember(this.address, this.#health, this.#target);
    const previous = this.#member;
    if (next === undefined) return;
    if (previous !== undefined && previous.state === next.state) {
      if (previous.draining === next.draining && previous.reason === next.reason) return;
      this.#member = { ...next, since: previous.since };
    } else {
      this.#member = { ...next, since: Date.now() };
    }
    this.#changed();
  }

  #planCheck(): void {
    if (!this.#needsChecks()) {
      this.#cancelCheck();
      return;
    }
    if (this.#timer !== undefined || this.#check !== undefined) return;
    if (this.#health.phase === "unchecked") {
      this.#runCheck();
      return;
    }
    const delay = checkDelayMs(this.#health, this.#context.healthCheck().intervalMs);
    this.#timer = setTimeout(() => this.#runCheck(), delay * (1 + JITTER * (2 * Math.random() - 1)));
  }

  #needsChecks(): boolean {
    if (this.#target.health === "critical") return this.#health.accusation !== undefined;
    return this.#target.health === "unknown" || this.#health.phase !== "up";
  }

  #cancelCheck(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#check?.abort();
    this.#check = undefined;
  }

  #runCheck(): void {
    this.#timer = undefined;
    const check = new AbortController();
    this.#check = check;
    const { path, timeoutMs } = this.#context.healthCheck();
    probe(this.address, { path, timeoutMs, signal: check.signal }).then(
      (result) => this.#afterCheck(check, result),
      // An aborted check is no longer the current one, so what it says is not heard.
      (error: unknown) => this.#afterCheck(check, { verdict: "unreachable", detail: describeError(error) }),
    );
  }

  #afterCheck(check: AbortController, result: ProbeResult): void {
    if (this.#check !== check) return;
    this.#check = undefined;
    this.#context.observer.checked(result.verdict);
    if (result.verdict === "unauthorized" && this.#lastVerdict !== "unauthorized") {
      this.#context.log.warn("Member asks health checks for credentials, so only its answering is checked", {
        member: this.address,
        err: result.detail,
      });
    }
    this.#lastVerdict = result.verdict;
    this.#apply(eventOfResult(result));
  }
}

function eventOfTarget({ health, reason }: Target): HealthEvent {
  switch (health) {
    case "critical":
      return { type: "accused", reason };
    case "passing":
      return { type: "vouched", reason };
    case "unknown":
      return { type: "unvouched" };
  }
}

function eventOfResult({ verdict, detail }: ProbeResult): HealthEvent {
  if (isInService(verdict)) return { type: "passed", reason: detail };
  return { type: "failed", certain: verdict === "refused", reason: detail };
}

function describeMember(address: string, health: Health, target: Target): Omit<Member, "since"> | undefined {
  if (health.phase === "unchecked") return undefined;
  const { draining } = target;
  const { unansweredAt } = health;
  if (health.phase !== "up") return { address, state: health.phase, draining, unansweredAt, reason: health.reason };
  const state: MemberState = draining ? "draining" : "active";
  return { address, state, draining, unansweredAt, reason: draining ? target.reason : health.reason };
}
