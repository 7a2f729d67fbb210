import type { RouterProcess } from "../support/router.ts";
import { type MemberStatus, membersOf } from "./router-view.ts";

const PAUSE_MS = 200;
/**
 * Routers hear of a change one after the other, within so long of each other. When they differ for longer, though nobody gave them different
 * configurations, the machine is so busy that health checks fail at one of them.
 */
const USUAL_MS = 2_000;
/** A group is pushed, and scraped, so long after routers are in order again. */
const AFTERMATH_MS = 3_000;

/** What is watched for: routers that differ, or, where they are to differ and nobody touches a member, members that look down. */
export type Disorder = "differing" | "down";

interface Span {
  readonly from: number;
  readonly until: number;
}

/** Compares again and again what routers say of members. All times on the monotonic clock. */
export class ViewWatch implements AsyncDisposable {
  readonly #routers: readonly RouterProcess[];
  readonly #disorder: Disorder;
  readonly #spans: Span[] = [];
  #since: number | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(routers: readonly RouterProcess[], disorder: Disorder) {
    this.#routers = routers;
    this.#disorder = disorder;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    this.#noteOrder(performance.now());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** For how long there was disorder in all, in seconds; spans that are as short as usual do not count. */
  get seconds(): number {
    return this.#longSpans.reduce((sum, { from, until }) => sum + until - from, 0) / 1_000;
  }

  /** Whether there was disorder at this time for longer than usual, or just before. */
  wasAt(at: number): boolean {
    return this.#longSpans.some(({ from, until }) => at >= from && at <= until + AFTERMATH_MS);
  }

  get #longSpans(): readonly Span[] {
    const usualMs = this.#disorder === "differing" ? USUAL_MS : 0;
    return this.#spans.filter(({ from, until }) => until - from > usualMs);
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const at = performance.now();
      const views = await Promise.all(this.#routers.map((router) => membersOf(router).catch(() => undefined)));
      const known = views.filter((view) => view !== undefined);
      if (this.#isDisorder(known)) this.#since ??= at;
      else if (known.length === views.length) this.#noteOrder(at);
      await Bun.sleep(PAUSE_MS);
    }
  }

  #isDisorder(views: readonly (readonly MemberStatus[])[]): boolean {
    if (this.#disorder === "down") return views.flat().some(({ state }) => state === "down" || state === "joining");
    return new Set(views.map(takersOf)).size > 1;
  }

  #noteOrder(at: number): void {
    if (this.#since !== undefined) this.#spans.push({ from: this.#since, until: at });
    this.#since = undefined;
  }
}

function takersOf(members: readonly MemberStatus[]): string {
  const takers = members.filter(({ state }) => state === "active");
  return takers.map(({ address }) => address).join(" ");
}
