import { Counter, Gauge, Histogram, Registry } from "prom-client";

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
  readonly ringFingerprint: () => number;
  readonly panic: () => boolean;
  /** Pushes in flight by member address. */
  readonly inFlight: () => Iterable<readonly [address: string, pushes: number]>;
  readonly clientConnections: () => number;
}

/** What the operating system knows of this process. */
export interface ProcessStats {
  readonly cpuSeconds: () => number;
  readonly residentBytes: () => number;
  readonly startTimeSeconds: number;
}

const PREFIX = "dynamic_sharding_";
/** From a redirect's tens of microseconds to past the longest deadline. */
const LATENCY_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/**
 * The router's own metrics: one registry for each router, so that several fit into one process. Children that the push path
 * uses are looked up once, because a look-up by labels costs more than the increment.
 */
export class RouterMetrics {
  readonly #registry = new Registry();
  readonly #pushes = this.#counter("pushes_total", "Pushes by the way they were handed on and what became of them.", [
    "mode",
    "outcome",
  ]);
  readonly #pushChildren: Readonly<Record<PushMode, Map<PushOutcome, Counter.Internal>>> = {
    proxy: new Map(),
    redirect: new Map(),
  };
  readonly #requests = this.#counter("http_requests_total", "Requests other than pushes, by route and status.", [
    "handler",
    "code",
  ]);
  readonly #pushDuration = this.#histogram(
    "push_duration_seconds",
    "From a push's request head to the end of its response, the client's sending included.",
    ["mode"],
  );
  readonly #durationChildren: Readonly<Record<PushMode, Histogram.Internal<string>>> = {
    proxy: this.#pushDuration.labels("proxy"),
    redirect: this.#pushDuration.labels("redirect"),
  };
  readonly #upstreamDuration = this.#histogram(
    "upstream_request_duration_seconds",
    "From sending a push to a member to the end of the member's answer.",
    [],
  );
  readonly #attemptFailures = this.#counter(
    "upstream_failures_total",
    "Attempts to push to a member that got no usable answer, by member and reason.",
    ["member", "reason"],
  );
  readonly #failureReasons = new Set<string>();
  readonly #failovers = this.#counter(
    "failovers_total",
    "Pushes moved on to the next member in ring order, by the reason why the one before could not take them.",
    ["reason"],
  );
  readonly #reshards = this.#counter(
    "reshards_total",
    "Times that the ring was rebuilt because members came or went.",
    [],
  );
  readonly #refreshFailures = this.#counter(
    "discovery_refresh_failures_total",
    "Refreshes that failed, by discovery mechanism. The last good set stays in use.",
    ["mechanism"],
  );
  readonly #refreshes = this.#counter(
    "discovery_refreshes_total",
    "Refreshes that succeeded, by discovery mechanism.",
    ["mechanism"],
  );
  readonly #lastRefresh = this.#gauge(
    "discovery_last_refresh_success_timestamp_seconds",
    "When a refresh last succeeded, by discovery mechanism.",
    ["mechanism"],
  );
  readonly #healthChecks = this.#counter("health_checks_total", "The router's own health checks by what they found.", [
    "verdict",
  ]);
  readonly #reloadSuccessful = this.#gauge(
    "config_last_reload_successful",
    "Whether the configuration file could be used when it was last read.",
    [],
  );
  readonly #reloadTime = this.#gauge(
    "config_last_reload_success_timestamp_seconds",
    "When the configuration file was last read and used.",
    [],
  );

  constructor(version: string, sources: MetricSources, process: ProcessStats) {
    this.#gauge("build_info", "Always 1; the labels say what is running.", ["version", "runtime"])
      .labels(version, `bun ${Bun.version}`)
      .set(1);
    this.#readFrom(sources);
    this.#readProcess(process);
  }

  /** Content-Type of `render`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in the text format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  pushDone(mode: PushMode, outcome: PushOutcome, seconds: number): void {
    let child = this.#pushChildren[mode].get(outcome);
    if (child === undefined) {
      child = this.#pushes.labels(mode, outcome);
      this.#pushChildren[mode].set(outcome, child);
    }
    child.inc();
    this.#durationChildren[mode].observe(seconds);
  }

  requestDone(handler: string, status: number): void {
    this.#requests.labels(handler, String(status)).inc();
  }

  upstreamAnswered(seconds: number): void {
    this.#upstreamDuration.observe(seconds);
  }

  upstreamFailed(member: string, reason: string): void {
    this.#failureReasons.add(reason);
    this.#attemptFailures.labels(member, reason).inc();
  }

  failedOver(reason: string): void {
    this.#failovers.labels(reason).inc();
  }

  resharded(): void {
    this.#reshards.inc();
  }

  refreshSucceeded(mechanism: string): void {
    this.#refreshes.labels(mechanism).inc();
    this.#lastRefresh.labels(mechanism).setToCurrentTime();
  }

  refreshFailed(mechanism: string): void {
    this.#refreshFailures.labels(mechanism).inc();
  }

  checked(verdict: string): void {
    this.#healthChecks.labels(verdict).inc();
  }

  reloaded(successful: boolean): void {
    this.#reloadSuccessful.set(successful ? 1 : 0);
    if (successful) this.#reloadTime.setToCurrentTime();
  }

  /** Drops the series of a member that is gone, which would otherwise pile up. */
  forgetMember(address: string): void {
    for (const reason of this.#failureReasons) this.#attemptFailures.remove(address, reason);
  }

  #readFrom(sources: MetricSources): void {
    this.#gauge("members", "Members by state.", ["state"], (gauge) => {
      for (const [state, count] of Object.entries(sources.members())) gauge.labels(state).set(count);
    });
    this.#gauge(
      "ring_fingerprint",
      "Number over the members that take pushes. Routers that agree on every owner show the same.",
      [],
      (gauge) => gauge.set(sources.ringFingerprint()),
    );
    this.#gauge(
      "panic",
      "Whether so many members look down that the router suspects its own checks and goes on using them.",
      [],
      (gauge) => gauge.set(sources.panic() ? 1 : 0),
    );
    this.#gauge("upstream_in_flight", "Pushes in flight by member, waiting ones included.", ["member"], (gauge) => {
      gauge.reset();
      for (const [address, pushes] of sources.inFlight()) gauge.labels(address).set(pushes);
    });
    this.#gauge("client_connections", "Open connections from clients.", [], (gauge) => {
      gauge.set(sources.clientConnections());
    });
  }

  #readProcess(process: ProcessStats): void {
    const plain = (name: string, help: string, read: () => number, Metric: typeof Gauge | typeof Counter) =>
      new Metric({
        name,
        help,
        registers: [this.#registry],
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    plain("process_cpu_seconds_total", "CPU time spent, user and system, in seconds.", process.cpuSeconds, Counter);
    plain("process_resident_memory_bytes", "Resident memory in bytes.", process.residentBytes, Gauge);
    plain(
      "process_start_time_seconds",
      "Start time since the Unix epoch in seconds.",
      () => process.startTimeSeconds,
      Gauge,
    );
  }

  #counter<T extends string>(name: string, help: string, labelNames: T[]): Counter<T> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
  }

  #gauge<T extends string>(name: string, help: string, labelNames: T[], read?: (gauge: Gauge<T>) => void): Gauge<T> {
    return new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.#registry],
      ...(read !== undefined && {
        collect() {
          read(this);
        },
      }),
    });
  }

  #histogram<T extends string>(name: string, help: string, labelNames: T[]): Histogram<T> {
    return new Histogram({
      name: PREFIX + name,
      help,
      labelNames,
      buckets: LATENCY_BUCKETS,
      registers: [this.#registry],
    });
  }
}
