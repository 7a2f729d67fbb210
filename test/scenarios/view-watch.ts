import type { RouterProcess } from "../support/router.ts";
import { membersOf } from "./router-view.ts";

const PAUSE_MS = 200;
/**
 * Routers hear of a change one after the other, within so long of each other. When they differ for longer, though nobody gave them different
 * configurations, the machine is so busy that health checks fail at one of them.
 */
const USUAL_MS = 3_000;
/** A group is pushed, and scraped, so long after routers agree again. */
const AFTERMATH_MS = 3_000;

interface Span {
  readonly from: number;
  readonly until: number;
}

/** Compares again and again which members take pushes by each router. All times on the monotonic clock. */
export class ViewWatch implements AsyncDisposable {
  readonly #routers: readonly RouterProcess[];
  readonly #spans: Span[] = [];
  #differingSince: number | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(routers: readonly RouterProcess[]) {
    this.#routers = routers;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.#noteAgreement(performance.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** For how long routers differed in all, in seconds; spans that are as short as usual do not count. */
  get differedSeconds(): number {
    return this.#longSpans.reduce((sum, { from, until }) => sum + until - from, 0) / 1_000;
  }

  /** Whether at this time routers had differed for longer than usual, or just before. */
  differedAt(at: number): boolean {
    return this.#longSpans.some(({ from, until }) => at >= from && at <= until + AFTERMATH_MS);
  }

  get #longSpans(): readonly Span[] {
    return this.#spans.filter(({ from, until }) => until - from > USUAL_MS);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const at = performance.now();
      const views = await Promise.all(this.#routers.map((router) => viewOf(router).catch(() => undefined)));
      const known = new Set(views.filter((view) => view !== undefined));
      if (known.size > 1) this.#differingSince ??= at;
      else if (views.every((view) => view !== undefined)) this.#noteAgreement(at);
      await Bun.sleep(PAUSE_MS);
    }
  }

  #noteAgreement(at: number): void {
    if (this.#differingSince !== undefined) this.#spans.push({ from: this.#differingSince, until: at });
    this.#differingSince = undefined;
  }
}

async function viewOf(router: RouterProcess): Promise<string> {
  const members = await membersOf(router);
  const takers = members.filter(({ state }) => state === "active");
  return takers.map(({ address }) => address).join(" ");
}
