import type { MetricFamily } from "../../exposition/model.ts";
import { parseText } from "../../exposition/text-parser.ts";
import { type Counter, MetricRegistry } from "../../metric-registry.ts";
import type { ProcessStats } from "../../metrics.ts";
import type { Persistence } from "../persistence.ts";

/** Methods that push, as labels. */
export type PushMethod = "put" | "post";

/** The metrics of the server itself, under Pushgateway's names where they say the same. */
export class PushgatewayMetrics {
  readonly #registry = new MetricRegistry();
  readonly #requests = this.#registry.counter(
    "pushgateway_http_requests_total",
    "Total HTTP requests processed by the Pushgateway, excluding scrapes.",
    ["code", "handler", "method"],
  );
  /** Looked up once for each combination, as a look-up by labels costs more than the rest. */
  readonly #counters = new Map<string, Counter>();
  readonly #durations = this.#registry.summary(
    "pushgateway_http_push_duration_seconds",
    "HTTP request duration for pushes to the Pushgateway.",
    ["method"],
  );
  readonly #sizes = this.#registry.summary(
    "pushgateway_http_push_size_bytes",
    "HTTP request size for pushes to the Pushgateway.",
    ["method"],
  );
  readonly #pushes = {
    put: { duration: this.#durations.labels("put"), size: this.#sizes.labels("put") },
    post: { duration: this.#durations.labels("post"), size: this.#sizes.labels("post") },
  };

  /** `persistence` tells how the saving of groups goes; absent where they are kept in memory only. */
  constructor(version: string, process: ProcessStats, persistence?: () => Persistence["stats"]) {
    this.#registry
      .gauge("pushgateway_build_info", "Always 1; the labels say what is running.", [
        "implementation",
        "runtime",
        "version",
      ])
      .labels("dynamic-sharding", `bun ${Bun.version}`, version)
      .set(1);
    this.#startCounters();
    this.#readProcess(process);
    if (persistence !== undefined) this.#readPersistence(persistence);
  }

  /** All of them. The same families each time. */
  families(): readonly MetricFamily[] {
    return parseText(Buffer.from(this.#registry.render()));
  }

  pushDone(method: PushMethod, startedAt: number, bytes: number): void {
    const { duration, size } = this.#pushes[method];
    const now = performance.now();
    duration.observe((now - startedAt) / 1000, now);
    size.observe(bytes, now);
  }

  /** `method` is one that a route takes. */
  requestDone(handler: string, method: string, status: number): void {
    const key = `${handler} ${method} ${status}`;
    let counter = this.#counters.get(key);
    if (counter === undefined) {
      counter = this.#requests.labels(String(status), handler, method.toLowerCase());
      this.#counters.set(key, counter);
    }
    counter.inc();
  }

  /** A counter that first shows when it has counted hides its first count from `increase()`. */
  #startCounters(): void {
    for (const method of ["put", "post"]) {
      this.#requests.labels("200", "push", method);
      this.#requests.labels("400", "push", method);
    }
    this.#requests.labels("202", "delete", "delete");
  }

  /** Under the names that every Prometheus client library gives them. */
  #readProcess({ cpuSeconds, residentBytes, startTimeSeconds }: ProcessStats): void {
    const registry = this.#registry;
    registry.counterOf("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", cpuSeconds);
    registry.gauge("process_resident_memory_bytes", "Resident memory size in bytes.", [], (family) =>
      family.labels().set(residentBytes()),
    );
    registry
      .gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.")
      .labels()
      .set(startTimeSeconds);
  }

  #readPersistence(stats: () => Persistence["stats"]): void {
    const prefix = "pushgateway_persistence_";
    const gauge = (name: string, help: string, read: () => number) => {
      this.#registry.gauge(prefix + name, help, [], (family) => family.labels().set(read()));
    };
    gauge("last_save_timestamp_seconds", "When groups were last saved; 0 for never.", () => stats().lastSave);
    gauge("unsaved_groups", "Groups that have changed since they were last saved.", () => stats().unsaved);
    this.#registry.counterOf(`${prefix}saves_total`, "Saves that succeeded.", () => stats().saves);
    this.#registry.counterOf(`${prefix}save_failures_total`, "Saves that failed.", () => stats().failures);
  }
}
