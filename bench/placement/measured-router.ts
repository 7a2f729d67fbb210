import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type RouterProcess, startRouterProcess } from "../../test/support/router.ts";
import { temporaryFolder } from "../../test/support/server-process.ts";
import { waitFor } from "../../test/support/wait-for.ts";
import { CpuClock, memoryOf } from "../process-cost.ts";

export interface RouterSettings {
  readonly servers: readonly string[];
  readonly draining?: readonly string[];
  /** A Prometheus duration; the default when absent. */
  readonly auditInterval?: string;
  /** Whether its turns are watched, which costs it a timer every millisecond. */
  readonly watchesTurns?: boolean;
}

const AUDIT_DEADLINE_MS = 120_000;
/** How long the memory is watched for what comes back when an audit is over. */
const SETTLE_MS = 4_000;

/** A router as users run it, as far as its cost is concerned. */
export class MeasuredRouter implements AsyncDisposable {
  readonly #router: RouterProcess;
  readonly #folder: string;
  readonly #clock = new CpuClock();

  private constructor(router: RouterProcess, folder: string) {
    this.#router = router;
    this.#folder = folder;
  }

  static async start(settings: RouterSettings): Promise<MeasuredRouter> {
    const folder = await temporaryFolder("bench-router");
    const preload = `--preload=${join(import.meta.dir, "watch-turns.ts")}`;
    const env = settings.watchesTurns ? { BUN_OPTIONS: preload, TURNS_FILE: join(folder, "turns") } : {};
    return new MeasuredRouter(await startRouterProcess({ config: configOf(settings), logLevel: "warn", env }), folder);
  }

  get address(): string {
    return this.#router.address;
  }

  /** Microseconds of processor time used so far. */
  usedUs(): number {
    return this.#clock.usedUs(this.#router.pid);
  }

  /** In MiB, as little as it comes to within a few seconds. */
  async restingMemory(): Promise<number> {
    const until = performance.now() + SETTLE_MS;
    let least = Number.POSITIVE_INFINITY;
    while (performance.now() < until) {
      least = Math.min(least, (await memoryOf(this.#router.pid)).resident);
      await Bun.sleep(200);
    }
    return least;
  }

  /** The sum of the router's own samples of this metric, or of those whose labels contain `labels`. */
  async sample(name: string, labels = ""): Promise<number> {
    const response = await fetch(`${this.#router.url}/metrics`, { signal: AbortSignal.timeout(10_000) });
    const lines = (await response.text()).split("\n");
    const ours = lines.filter(
      (line) => /^[^{ ]*/.exec(line)?.[0] === `dynamic_sharding_${name}` && line.includes(labels),
    );
    return ours.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  audits(): Promise<number> {
    return this.sample("audit_duration_seconds_count");
  }

  async waitForAudits(count: number): Promise<void> {
    await waitFor(`${count} audits`, async () => (await this.audits()) >= count, { timeoutMs: AUDIT_DEADLINE_MS });
  }

  /** Seconds that all audits so far took. */
  auditSeconds(): Promise<number> {
    return this.sample("audit_duration_seconds_sum");
  }

  async getJson(path: string): Promise<unknown> {
    return await (await fetch(this.#router.url + path, { signal: AbortSignal.timeout(30_000) })).json();
  }

  async reconfigure(settings: RouterSettings): Promise<void> {
    await this.#router.configure(configOf(settings));
    this.#router.reload();
  }

  /** The longest turn in milliseconds of processor time since the last call. */
  async longestTurn(): Promise<number> {
    const file = join(this.#folder, "turns");
    await rm(file, { force: true });
    this.#router.kill("SIGUSR2");
    return Number(await waitFor("the longest turn", () => readFile(file, "utf8")));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#router.stop();
    this.#clock[Symbol.dispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function configOf({ servers, draining, auditInterval }: RouterSettings): Readonly<Record<string, unknown>> {
  return {
    pushgateway: { servers, ...(draining === undefined ? {} : { draining }) },
    ...(auditInterval === undefined ? {} : { groups: { audit_interval: auditInterval } }),
  };
}
