import type { GroupId } from "../sharding/group-id.ts";
import { type AuditContext, type AuditResult, audit } from "./audit.ts";
import { type ExpiryContext, expire } from "./expiry.ts";
import type { PlacementSurroundings } from "./placement-surroundings.ts";
import type { Resolution } from "./resolution.ts";
import type { ViewHistory } from "./view-history.ts";

export interface AuditorContext extends AuditContext, ExpiryContext, Pick<PlacementSurroundings, "log"> {
  readonly history: ViewHistory;
  readonly resolution: Resolution;
}

/** How often the auditor looks whether anything is due. */
const TICK_MS = 100;
/** After a change of members, so that several changes at once are one audit. */
const SETTLE_MS = 200;
/** While members have just changed, the least time from one audit to the next, and how many times what it took. */
const RESTLESS_INTERVAL_MS = 5_000;
const RESTLESS_FACTOR = 10;
/** Before a group is looked at again. */
const FOLLOW_UP_MS = 2_000;
/** After so many looks a group is left to the audits. */
const MAX_FOLLOW_UPS = 30;
/** More are left to the audits, too. */
const MAX_QUEUED = 100_000;
const JITTER = 0.1;
/**
 * Looks between audits take turns, so that members, and this router, have most of their time for pushes: from the begin of one to
 * that of the next so many times what its listings took, but for so long at most, and at least so long after its end.
 */
const LOOK_FACTOR = 4;
const MAX_LOOK_INTERVAL_MS = 120_000;
const MIN_LOOK_PAUSE_MS = 1_000;

/**
 * Sees to it in the background that each group has one copy: audits all members at the start, after changes and at intervals,
 * follows up on groups that are in question, and deletes what has expired. One thing at a time.
 */
export class Auditor {
  readonly #context: AuditorContext;
  readonly #abort = new AbortController();
  readonly #followUps = new Map<GroupId, { readonly at: number; readonly looks: number }>();
  #ticker: Timer | undefined;
  #working: Promise<void> | undefined;
  #nextAuditAt = Number.POSITIVE_INFINITY;
  /** Members that hold groups whose time to live is over. */
  readonly #expiring = new Set<string>();
  /** When the next look between audits may begin, at groups in question and at those that expire. */
  #nextLookAt = 0;
  #nextExpiryAt = 0;
  #lastAudit: AuditResult | undefined;

  constructor(context: AuditorContext) {
    this.#context = context;
  }

  /** The last audit; undefined before the first. */
  get lastAudit(): AuditResult | undefined {
    return this.#lastAudit;
  }

  /** Begins with an audit. */
  start(): void {
    this.#nextAuditAt = 0;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    this.#abort.abort(new Error("The router stops"));
    await this.#working;
  }

  /** Members have changed: audits soon. */
  membersChanged(): void {
    this.#nextAuditAt = Math.min(this.#nextAuditAt, Date.now() + SETTLE_MS);
  }

  /** There are other options: what they say of audits and of expiry holds from now on. */
  reconfigured(): void {
    this.#nextAuditAt = Math.min(this.#nextAuditAt, Date.now() + this.#interval(0));
  }

  /** Something about the group is in question: looks at it soon. */
  followUp(id: GroupId): void {
    if (!this.#followUps.has(id)) this.#queue(id, 0);
  }

  #queue(id: GroupId, looks: number): void {
    if (looks >= MAX_FOLLOW_UPS || this.#followUps.size >= MAX_QUEUED) return;
    this.#followUps.set(id, { at: Date.now() + FOLLOW_UP_MS, looks });
  }

  #tick(): void {
    if (this.#working !== undefined) return;
    const now = Date.now();
    this.#working = this.#dueWork(now)
      ?.catch((error: unknown) => this.#context.log.debug("Cannot look after groups, will try again", { err: error }))
      .finally(() => {
        this.#working = undefined;
      });
  }

  #dueWork(now: number): Promise<void> | undefined {
    if (now >= this.#nextAuditAt) return this.#audit();
    return this.#lookAgain(now) ?? this.#expireNext(now);
  }

  async #audit(): Promise<void> {
    const set = this.#context.members();
    if (set === undefined) return;
    const startedAt = Date.now();
    // What changes from now on brings the next one forward.
    this.#nextAuditAt = Number.POSITIVE_INFINITY;
    try {
      this.#lastAudit = await audit(this.#context, set, this.#abort.signal);
    } finally {
      this.#nextAuditAt = Math.min(this.#nextAuditAt, Date.now() + this.#interval(Date.now() - startedAt));
    }
    const { groups, suspects, expiring } = this.#lastAudit;
    for (const address of expiring) this.#expiring.add(address);
    // In good time for the next question about push times: /federate cannot wait for it.
    await this.#context.lister.measureClocks([...groups.keys()], this.#abort.signal);
    await this.#resolve(suspects);
  }

  #interval(durationMs: number): number {
    const usual = this.#context.options().auditIntervalMs * (1 + JITTER * (2 * Math.random() - 1));
    if (this.#context.history.isEmpty(Date.now())) return usual;
    return Math.min(usual, Math.max(RESTLESS_INTERVAL_MS, RESTLESS_FACTOR * durationMs));
  }

  #lookAgain(now: number): Promise<void> | undefined {
    if (now < this.#nextLookAt) return undefined;
    const due = new Set<GroupId>();
    for (const [id, { at }] of this.#followUps) if (at <= now) due.add(id);
    return due.size === 0 ? undefined : this.#resolve(due);
  }

  async #resolve(ids: ReadonlySet<GroupId>): Promise<void> {
    if (ids.size === 0) return;
    const { slices, resolution } = this.#context;
    const looks = new Map<GroupId, number>();
    await slices.visit(ids, (id) => {
      const known = this.#followUps.get(id);
      if (known !== undefined) looks.set(id, known.looks + 1);
      this.#followUps.delete(id);
    });
    const nextAt = this.#beginTurn();
    let left = ids;
    try {
      left = await resolution.resolve(ids, this.#abort.signal);
    } finally {
      await slices.visit(left, (id) => this.#queue(id, looks.get(id) ?? 1));
      this.#nextLookAt = nextAt();
    }
  }

  /** Members take turns, one look each. */
  #expireNext(now: number): Promise<void> | undefined {
    const [address] = this.#expiring;
    if (address === undefined || now < this.#nextExpiryAt) return undefined;
    this.#expiring.delete(address);
    return this.#expire(address);
  }

  async #expire(address: string): Promise<void> {
    const nextAt = this.#beginTurn();
    try {
      if (await expire(this.#context, address, this.#abort.signal)) this.#expiring.add(address);
    } finally {
      this.#nextExpiryAt = nextAt();
    }
  }

  /** What it returns says, once a look is over, when the next one may begin. */
  #beginTurn(): () => number {
    const { lister } = this.#context;
    const startedAt = Date.now();
    const spentBefore = lister.spentMs;
    return () => {
      const intervalMs = Math.min(MAX_LOOK_INTERVAL_MS, LOOK_FACTOR * (lister.spentMs - spentBefore));
      return Math.max(startedAt + intervalMs, Date.now() + MIN_LOOK_PAUSE_MS);
    };
  }
}
