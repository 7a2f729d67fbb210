import { type Counter, MetricRegistry, TEXT_FORMAT } from "./metric-registry.ts";

/** How a push was handed on. */
export type PushMode = "proxy" | "redirect";

/**
 * What became of a push.
 *
 * - `delivered`: a member answered 2xx.
 * - `rejected`: a member answered something else, which the client got verbatim.
 * - `redirected`: the client was told where to go; whether it went is not known.
 * - `refused`: the router refused it: no grouping key, a limit, malformed HTTP.
 * - `unavailable`: no member could take it (503).
 * - `failed`: a member gave no usable answer (502).
 * - `timed_out`: no answer in time (504).
 * - `aborted`: the client went away before it had sent everything.
 */
export type PushOutcome =
  | "delivered"
  | "rejected"
  | "redirected"
  | "refused"
  | "unavailable"
  | "failed"
  | "timed_out"
  | "aborted";

/** Values that are read when somebody scrapes. */
export interface MetricSources {
  /** Number of members by state. */
  readonly members: () => Readonly<Record<string, number>>;
  readonly isMember: (address: string) => boolean;
  readonly ringFingerprint: () => number;
  readonly panic: () => boolean;
  /** Pushes in flight by member address. */
  readonly inFlight: () => Iterable<readonly [address: string, pushes: number]>;
  readonly clientConnections: () => number;
  /** Groups that are, or may be, elsewhere than at their owner. */
  readonly misplacedGroups: () => number;
  /** How often one of them was not remembered for lack of room. */
  readonly forgottenGroups: () => number;
}

/** What the operating system knows of this process. */
export interface ProcessStats {
  readonly cpuSeconds: () => number;
  readonly residentBytes: () => number;
  readonly startTimeSeconds: number;
}

/** What can become of a push that is not redirected. */
const PROXY_OUTCOMES: readonly PushOutcome[] = [
  "delivered",
  "rejected",
  "refused",
  "unavailable",
  "failed",
  "timed_out",
  "aborted",
];
/** Why a copy of a group was deleted: see `RemovalReason` of placement. */
const REMOVAL_REASONS = ["moved", "stale", "expired", "evacuated", "deleted"];
/** Why a push can move on to the next member. Any other failure is answered. */
const FAILOVER_REASONS = ["unreachable", "dead", "unresponsive"];

/** Why a member cannot be asked something (MemberRequestFailure in src/pushgateway/member-request.ts). */
const MEMBER_REQUEST_FAILURES = ["refused", "lost", "timeout", "cut", "malformed", "status"];

const PREFIX = "dynamic_sharding_";
/** From a redirect's tens of microseconds to past the longest deadline. */
const AUDIT_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60];
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** The router's own metrics. One registry for each router, so that several fit into one process. */
export class RouterMetrics {
  /** Content-Type of `render`. */
  readonly contentType = TEXT_FORMAT;
  readonly #sources: MetricSources;
  readonly #registry = new MetricRegistry();
  readonly #pushes = this.#registry.counter(
    `${PREFIX}pushes_total`,
    "Pushes by the way they were handed on and what became of them.",
    ["mode", "outcome"],
  );
  /** Looked up once: a look-up by labels would cost the push path more than all its other metrics. */
  readonly #pushCounters: Readonly<Record<PushMode, Map<PushOutcome, Counter>>> = {
    proxy: new Map(),
    redirect: new Map(),
  };
  readonly #pushDuration = this.#registry.histogram(
    `${PREFIX}push_duration_seconds`,
    "From a push's request head to the end of its response, the client's sending included.",
    LATENCY_BUCKETS,
    ["mode"],
  );
  readonly #pushDurations = {
    proxy: this.#pushDuration.labels("proxy"),
    redirect: this.#pushDuration.labels("redirect"),
  };
  readonly #upstreamDuration = this.#registry
    .histogram(
      `${PREFIX}upstream_request_duration_seconds`,
      "From sending a push to a member to the end of the member's answer.",
      LATENCY_BUCKETS,
    )
    .labels();
  readonly #upstreamFailures = this.#registry.counter(
    `${PREFIX}upstream_failures_total`,
    "Attempts to push to a member that got no usable answer, by member and reason.",
    ["member", "reason"],
  );
  readonly #failureReasons = new Set<string>();
  readonly #failovers = this.#registry.counter(
    `${PREFIX}failovers_total`,
    "Pushes moved on to the next member in ring order, by the reason why the one before could not take them.",
    ["reason"],
  );
  readonly #copiesRemoved = this.#registry.counter(
    `${PREFIX}copies_removed_total`,
    "Copies of groups that were deleted from members, or would have been had they been there, by reason.",
    ["reason"],
  );
  readonly #familiesCarried = this.#registry
    .counter(
      `${PREFIX}families_carried_total`,
      "Families that were carried over to the copy of their group that counts.",
    )
    .labels();
  readonly #cleanUpFailures = this.#registry
    .counter(`${PREFIX}clean_up_failures_total`, "Steps of a clean-up that a member did not take. They are repeated.")
    .labels();
  readonly #auditDuration = this.#registry
    .histogram(`${PREFIX}audit_duration_seconds`, "Time that a look at the groups of all members took.", AUDIT_BUCKETS)
    .labels();
  readonly #auditUnreadable = this.#registry
    .gauge(`${PREFIX}audit_unreadable_members`, "Members whose groups could not be listed at the last audit.")
    .labels();
  readonly #requests = this.#registry.counter(
    `${PREFIX}http_requests_total`,
    "Requests other than pushes, by route and status; `none` stands for no route, or a head that could not be read.",
    ["handler", "code"],
  );
  readonly #reshards = this.#registry
    .counter(`${PREFIX}reshards_total`, "Times that the ring was rebuilt because members came or went.")
    .labels();
  readonly #refreshes = this.#registry.counter(
    `${PREFIX}discovery_refreshes_total`,
    "Refreshes that succeeded, by discovery mechanism.",
    ["mechanism"],
  );
  readonly #refreshFailures = this.#registry.counter(
    `${PREFIX}discovery_refresh_failures_total`,
    "Refreshes that failed, by discovery mechanism. The last good set stays in use.",
    ["mechanism"],
  );
  readonly #lastRefresh = this.#registry.gauge(
    `${PREFIX}discovery_last_refresh_success_timestamp_seconds`,
    "When a refresh last succeeded, by discovery mechanism.",
    ["mechanism"],
  );
  readonly #healthChecks = this.#registry.counter(
    `${PREFIX}health_checks_total`,
    "The router's own health checks by what they found.",
    ["verdict"],
  );
  readonly #federateMissing = this.#registry
    .gauge(`${PREFIX}federate_missing_members`, "Members whose groups the last scrape of /federate did without.")
    .labels();
  readonly #federateFailures = this.#registry.counter(
    `${PREFIX}federate_failures_total`,
    "Members that a scrape of /federate could not ask, by what went wrong.",
    ["reason"],
  );
  readonly #federateClashes = this.#registry
    .gauge(
      `${PREFIX}federate_type_clashes`,
      "Names that have several types among the members, and that the last scrape of /federate showed as untyped.",
    )
    .labels();
  readonly #reloadSuccessful = this.#registry
    .gauge(
      `${PREFIX}config_last_reload_successful`,
      "Whether the configuration file could be used when it was last read.",
    )
    .labels();
  readonly #reloadTime = this.#registry
    .gauge(
      `${PREFIX}config_last_reload_success_timestamp_seconds`,
      "When the configuration file was last read and used.",
    )
    .labels();

  constructor(version: string, sources: MetricSources, process: ProcessStats) {
    this.#sources = sources;
    this.#registry
      .gauge(`${PREFIX}build_info`, "Always 1; the labels say what is running.", ["version", "runtime"])
      .labels(version, `bun ${Bun.version}`)
      .set(1);
    this.#startAlertedCounters();
    this.#readSources();
    this.#readProcess(process);
  }

  /** A counter that first shows when it has counted hides its first count from `increase()`, and so from alerts. */
  #startAlertedCounters(): void {
    for (const outcome of PROXY_OUTCOMES) this.#pushes.labels("proxy", outcome);
    for (const reason of FAILOVER_REASONS) this.#failovers.labels(reason);
    for (const reason of MEMBER_REQUEST_FAILURES) this.#federateFailures.labels(reason);
    for (const reason of REMOVAL_REASONS) this.#copiesRemoved.labels(reason);
  }

  /** All metrics in the text format. */
  render(): string {
    return this.#registry.render();
  }

  pushDone(mode: PushMode, outcome: PushOutcome, seconds: number): void {
    const counters = this.#pushCounters[mode];
    let counter = counters.get(outcome);
    if (counter === undefined) {
      counter = this.#pushes.labels(mode, outcome);
      counters.set(outcome, counter);
    }
    counter.inc();
    this.#pushDurations[mode].observe(seconds);
  }

  requestDone(handler: string, status: number): void {
    this.#requests.labels(handler, String(status)).inc();
  }

  upstreamAnswered(seconds: number): void {
    this.#upstreamDuration.observe(seconds);
  }

  /** A push to a member that is gone is not counted: nobody would drop the series again. */
  upstreamFailed(member: string, reason: string): void {
    if (!this.#sources.isMember(member)) return;
    this.#failureReasons.add(reason);
    this.#upstreamFailures.labels(member, reason).inc();
  }

  failedOver(reason: string): void {
    this.#failovers.labels(reason).inc();
  }

  copyRemoved(reason: string): void {
    this.#copiesRemoved.labels(reason).inc();
  }

  familiesCarried(families: number): void {
    this.#familiesCarried.inc(families);
  }

  cleanUpFailed(): void {
    this.#cleanUpFailures.inc();
  }

  audited(seconds: number, unreadable: number): void {
    this.#auditDuration.observe(seconds);
    this.#auditUnreadable.set(unreadable);
  }

  resharded(): void {
    this.#reshards.inc();
  }

  refreshSucceeded(mechanism: string): void {
    this.#refreshes.labels(mechanism).inc();
    this.#refreshFailures.labels(mechanism);
    this.#lastRefresh.labels(mechanism).set(Date.now() / 1000);
  }

  refreshFailed(mechanism: string): void {
    this.#refreshFailures.labels(mechanism).inc();
  }

  checked(verdict: string): void {
    this.#healthChecks.labels(verdict).inc();
  }

  reloaded(successful: boolean): void {
    this.#reloadSuccessful.set(successful ? 1 : 0);
    if (successful) this.#reloadTime.set(Date.now() / 1000);
  }

  federated(missingMembers: number, typeClashes: number): void {
    this.#federateMissing.set(missingMembers);
    this.#federateClashes.set(typeClashes);
  }

  federateFailed(reason: string): void {
    this.#federateFailures.labels(reason).inc();
  }

  /** Drops the series of a member that is gone, which would otherwise pile up. */
  forgetMember(address: string): void {
    for (const reason of this.#failureReasons) this.#upstreamFailures.remove(address, reason);
  }

  #readSources(): void {
    const { members, ringFingerprint, panic, inFlight, clientConnections, misplacedGroups, forgottenGroups } =
      this.#sources;
    this.#registry.gauge(`${PREFIX}members`, "Members by state.", ["state"], (family) => {
      for (const [state, count] of Object.entries(members())) family.labels(state).set(count);
    });
    this.#value(
      "ring_fingerprint",
      "Number over the members that take pushes. Routers that agree on every owner show the same.",
      ringFingerprint,
    );
    this.#value(
      "panic",
      "Whether so many members look down that the router suspects its own checks and goes on using them.",
      () => (panic() ? 1 : 0),
    );
    this.#registry.gauge(
      `${PREFIX}upstream_in_flight`,
      "Pushes in flight by member, waiting ones included.",
      ["member"],
      (family) => {
        family.clear();
        for (const [address, pushes] of inFlight()) family.labels(address).set(pushes);
      },
    );
    this.#value(
      "misplaced_groups",
      "Groups that this router knows, or presumes, to have copies on members that do not own them.",
      misplacedGroups,
    );
    this.#registry.counterOf(
      `${PREFIX}misplaced_groups_forgotten_total`,
      "Times that the router could not remember a misplaced, doubtful or deleted group, because there are too many.",
      forgottenGroups,
    );
    this.#value("client_connections", "Open connections from clients.", clientConnections);
  }

  #value(name: string, help: string, read: () => number): void {
    this.#registry.gauge(PREFIX + name, help, [], (family) => family.labels().set(read()));
  }

  /** Under the names that every Prometheus client library gives them. */
  #readProcess({ cpuSeconds, residentBytes, startTimeSeconds }: ProcessStats): void {
    const registry = this.#registry;
    registry.counterOf("process_cpu_seconds_total", "CPU time spent, user and system, in seconds.", cpuSeconds);
    registry.gauge("process_resident_memory_bytes", "Resident memory in bytes.", [], (family) =>
      family.labels().set(residentBytes()),
    );
    registry
      .gauge("process_start_time_seconds", "Start time since the Unix epoch in seconds.")
      .labels()
      .set(startTimeSeconds);
  }
}
