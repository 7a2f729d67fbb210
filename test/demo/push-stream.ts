const GROUPS = 20;
const PAUSE_MS = 200;
const PUSH_DEADLINE_MS = 5_000;

/** Batch jobs that report their last run, one push after the other, by turns to each router. Runs from construction on. */
export class PushStream implements AsyncDisposable {
  readonly #routers: readonly string[];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #delivered = 0;
  #failed = 0;
  #lastFailure = "";

  constructor(routers: readonly string[]) {
    this.#routers = routers;
    this.#running = this.#run();
  }

  /** A line for people. */
  report(): string {
    const failures = this.#failed === 0 ? "none failed" : `${this.#failed} FAILED, the last with: ${this.#lastFailure}`;
    return `${new Date().toISOString()}  ${this.#delivered} pushes delivered, ${failures}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let round = 0; !this.#stop.signal.aborted; round++) {
      await this.#push(round);
      await Bun.sleep(PAUSE_MS);
    }
  }

  async #push(round: number): Promise<void> {
    const router = this.#routers[round % this.#routers.length];
    const body = [
      "# TYPE demo_last_run_records gauge",
      `demo_last_run_records ${round}`,
      "# TYPE demo_last_run_timestamp_seconds gauge",
      `demo_last_run_timestamp_seconds ${Date.now() / 1_000}`,
      "",
    ].join("\n");
    try {
      const response = await fetch(`${router}/metrics/job/demo/instance/batch-${round % GROUPS}`, {
        method: "PUT",
        body,
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(PUSH_DEADLINE_MS)]),
      });
      const said = await response.text();
      if (!response.ok) throw new Error(`${response.status} ${said}`);
      this.#delivered++;
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#failed++;
      this.#lastFailure = error instanceof Error ? error.message : String(error);
    }
  }
}
