import type { BenchContext } from "./bench-context.ts";
import { type BenchRow, comparisonRow, type Samples } from "./bench-row.ts";
import type { DoubleMembers, PlacedGroup } from "./placement/double-members.ts";
import { MeasuredRouter } from "./placement/measured-router.ts";
import { groupKey, type Push, PushLoad } from "./placement/push-load.ts";

const HIGHEST_DIRECTORY_MIB = 60;
const LONGEST_AUDIT_S = 5;
const HIGHEST_P99_MS = 50;
const LONGEST_TURN_MS = 10;
const CPU_CONNECTIONS = 16;
const CPU_PUSHES = 2_000;
const CPU_ROUNDS = 3;
const POSTS = 64;
const ANSWERS = 10;
const STEADY_RATE = 200;
const STEADY_SECONDS = 8;
/** Numbers from here on are of groups that no member holds at the start. */
const FRESH = 10_000_000;
const CLEAN_UP_RATE = 100;
const STALE_MEMBERS = 2;
const STALE_PER_MEMBER = 1_000;
const CLEAN_UP_DEADLINE_MS = 120_000;
const CLEAN_UP_LOOK_MS = 500;
const NO_AUDITS = "1d";
const BACK_TO_BACK = "100ms";

/** What it costs a router to know where all groups are, to keep that up to date, and to clean up. */
export async function benchPlacementCost(
  context: BenchContext,
  members: DoubleMembers,
  groups: readonly PlacedGroup[],
  emptyMib: number,
): Promise<readonly BenchRow[]> {
  const cluster = new Cluster(context, members, groups);
  return [...(await cluster.atRest(emptyMib)), ...(await cluster.underAudits()), ...(await cluster.duringCleanUp())];
}

/** Memory in MiB of a router whose members hold nothing, after its first audit. */
export async function memoryWithoutGroups(members: DoubleMembers): Promise<number> {
  await using router = await MeasuredRouter.start({ servers: members.addresses });
  await router.waitForAudits(1);
  return await router.restingMemory();
}

interface FirstAudit {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly mib: number;
}

class Cluster {
  readonly #context: BenchContext;
  readonly #members: DoubleMembers;
  readonly #groups: readonly PlacedGroup[];
  /** Without audits, in milliseconds. */
  #quiet: readonly number[] = [];

  constructor(context: BenchContext, members: DoubleMembers, groups: readonly PlacedGroup[]) {
    this.#context = context;
    this.#members = members;
    this.#groups = groups;
  }

  async atRest(emptyMib: number): Promise<readonly BenchRow[]> {
    const { addresses, aliases } = this.#members;
    this.#context.progress("placement: first audits");
    await using home = await MeasuredRouter.start({ servers: addresses, auditInterval: NO_AUDITS });
    const tidy = await firstAudit(home);
    await using away = await MeasuredRouter.start({ servers: aliases, auditInterval: NO_AUDITS });
    const misplaced = await firstAudit(away);
    this.#context.progress("placement: latency without audits");
    this.#quiet = await this.#steady(this.#numbered(home, 0), after(STEADY_SECONDS));
    const rows = [...this.#memoryRows(emptyMib, tidy, misplaced), ...this.#auditRows(tidy, misplaced)];
    this.#context.progress("placement: processor time of pushes");
    return [...rows, ...(await this.#cpuRows(home, away))];
  }

  #memoryRows(emptyMib: number, tidy: FirstAudit, misplaced: FirstAudit): readonly BenchRow[] {
    const peer = { peer: "no groups", peerValue: emptyMib };
    const grown = misplaced.mib - tidy.mib;
    return [
      { name: "placement: memory, all groups at home", value: tidy.mib, unit: "MiB", ...peer },
      { name: "placement: memory, all groups misplaced", value: misplaced.mib, unit: "MiB", ...peer },
      {
        name: "placement: memory of the directory",
        value: grown,
        unit: "MiB",
        target: `<= ${HIGHEST_DIRECTORY_MIB} MiB`,
        met: grown <= HIGHEST_DIRECTORY_MIB,
      },
    ];
  }

  #auditRows(tidy: FirstAudit, misplaced: FirstAudit): readonly BenchRow[] {
    const { seconds } = misplaced;
    const target = { target: `<= ${LONGEST_AUDIT_S} s`, met: seconds <= LONGEST_AUDIT_S };
    const row = (name: string, of: (audit: FirstAudit) => number) => ({
      name: `placement: first audit, all misplaced, ${name}`,
      value: of(misplaced),
      unit: "s",
      peer: "at home",
      peerValue: of(tidy),
      ratio: of(misplaced) / of(tidy),
    });
    return [
      { ...row("wall clock", (audit) => audit.seconds), ...target },
      row("CPU of the router", (audit) => audit.cpuSeconds),
    ];
  }

  /** What a push costs the router, beside a push at rest. */
  async #cpuRows(home: MeasuredRouter, away: MeasuredRouter): Promise<readonly BenchRow[]> {
    using load = new PushLoad(CPU_CONNECTIONS);
    const rest: number[] = [];
    const full: number[] = [];
    const moving: number[] = [];
    const atHome = this.#numbered(home, 0);
    const unknown = numberedFresh(away, 0);
    const misplaced = this.#numbered(away, 0);
    for (const push of [atHome, unknown]) await this.#costUs(load, home, push);
    for (let round = 0; round < CPU_ROUNDS; round++) {
      rest.push(await this.#costUs(load, home, atHome));
      full.push(await this.#costUs(load, away, unknown));
      moving.push(await this.#costUs(load, away, misplaced));
    }
    const [ofFew, ofMany] = [await this.#answerMs(home), await this.#answerMs(away)];
    const answer = comparisonRow("placement: CPU per /api/v1/members, all misplaced", "ms", ofMany, "at rest", ofFew);
    const row = (name: string, costs: Samples) =>
      comparisonRow(`placement: CPU per push, ${name}`, "µs", costs, "at rest", rest);
    return [
      row("all other groups misplaced", full),
      row("of a misplaced group", moving),
      ...(await this.#cpuRowsAfterChange(load, home, row)),
      answer,
    ];
  }

  /** In the minute after a member has begun to drain, and the audit behind that. */
  async #cpuRowsAfterChange(
    load: PushLoad,
    home: MeasuredRouter,
    row: (name: string, costs: Samples) => BenchRow,
  ): Promise<readonly BenchRow[]> {
    const { addresses } = this.#members;
    const last = addresses.length - 1;
    const audits = await home.audits();
    await home.reconfigure({ servers: addresses, draining: addresses.slice(last), auditInterval: NO_AUDITS });
    await home.waitForAudits(audits + 1);
    const staying = pushesOf(
      home,
      this.#groups.filter((group) => group.home !== last),
    );
    const leaving = pushesOf(
      home,
      this.#groups.filter((group) => group.home === last),
    );
    const stayed: number[] = [];
    const moved: number[] = [];
    for (let round = 0; round < CPU_ROUNDS; round++) {
      stayed.push(await this.#costUs(load, home, staying));
      moved.push(await this.#costUs(load, home, leaving));
    }
    const posted = await this.#costUs(
      load,
      home,
      mapPushes(leaving, (push) => ({ ...push, method: "POST" })),
      POSTS,
    );
    return [
      row("after a change, of a group that stays", stayed),
      row("after a change, of a group that moves", moved),
      row("after a change, POST of a group that moves", [posted]),
    ];
  }

  async #costUs(load: PushLoad, router: MeasuredRouter, pushes: Iterator<Push>, count = CPU_PUSHES): Promise<number> {
    const before = router.usedUs();
    await load.pushAll(take(pushes, count), this.#context.signal);
    return (router.usedUs() - before) / count;
  }

  async #answerMs(router: MeasuredRouter): Promise<Samples> {
    const costs: number[] = [];
    for (let i = 0; i < ANSWERS; i++) {
      const before = router.usedUs();
      await router.getJson("/api/v1/members");
      costs.push((router.usedUs() - before) / 1e3);
    }
    return costs;
  }

  /** While one audit follows the other. */
  async underAudits(): Promise<readonly BenchRow[]> {
    const { addresses, aliases } = this.#members;
    return [
      ...(await this.#auditing("all at home", addresses, (router) => this.#numbered(router, 0))),
      ...(await this.#auditing("all misplaced", aliases, (router) => numberedFresh(router, 0))),
    ];
  }

  async #auditing(
    name: string,
    servers: readonly string[],
    pushesTo: (router: MeasuredRouter) => Iterator<Push>,
  ): Promise<readonly BenchRow[]> {
    this.#context.progress(`placement: latency during audits, ${name}`);
    await using router = await MeasuredRouter.start({ servers, auditInterval: BACK_TO_BACK, watchesTurns: true });
    await router.waitForAudits(1);
    await router.longestTurn();
    const isTimeOver = after(STEADY_SECONDS);
    let isAuditOver = false;
    const audited = router.waitForAudits((await router.audits()) + 1).finally(() => {
      isAuditOver = true;
    });
    const latencies = await this.#steady(pushesTo(router), () => isAuditOver && isTimeOver());
    await audited;
    return [
      ...this.#latencyRows(`audits back to back, ${name}`, latencies),
      this.#turnRow(`audits back to back, ${name}`, await router.longestTurn()),
    ];
  }

  /** While copies are removed of which newer ones are elsewhere. */
  async duringCleanUp(): Promise<readonly BenchRow[]> {
    const { aliases } = this.#members;
    const { signal, progress } = this.#context;
    progress("placement: clean-up");
    // Those that routers above have not moved yet.
    const untouched = this.#groups.slice(this.#groups.length / 2);
    const stale = Array.from({ length: STALE_MEMBERS }, (_, home) =>
      untouched.filter((group) => group.home === home).slice(0, STALE_PER_MEMBER),
    ).flat();
    using load = new PushLoad(CPU_CONNECTIONS);
    await load.pushAll(
      stale.map(({ key, away }) => ({ key, address: aliases[away] as string })),
      signal,
    );
    await using router = await MeasuredRouter.start({ servers: aliases, auditInterval: NO_AUDITS, watchesTurns: true });
    await router.waitForAudits(1);
    await router.longestTurn();
    const removals = new Removals(router, stale.length);
    const watching = removals.watch(signal);
    const latencies = await this.#steady(numberedFresh(router, 0), () => removals.isOver);
    await watching;
    return [
      {
        name: `placement: clean-up of ${stale.length} stale copies, per second and member`,
        value: removals.rate / STALE_MEMBERS,
        unit: "copies",
        target: `<= ${CLEAN_UP_RATE} copies`,
        // A look at the metrics takes its time.
        met: removals.rate / STALE_MEMBERS <= CLEAN_UP_RATE * 1.05,
      },
      ...this.#latencyRows("clean-up", latencies),
      this.#turnRow("clean-up", await router.longestTurn()),
    ];
  }

  async #steady(pushes: Iterator<Push>, isOver: () => boolean): Promise<readonly number[]> {
    using load = new PushLoad(STEADY_RATE);
    return await load.pushSteadily(pushes, STEADY_RATE, isOver, this.#context.signal);
  }

  #latencyRows(name: string, latencies: readonly number[]): readonly BenchRow[] {
    const row = (quantile: string, share: number) => {
      const [value, peerValue] = [quantileOf(latencies, share), quantileOf(this.#quiet, share)];
      const title = `placement: ${quantile} latency at ${STEADY_RATE} pushes/s, ${name}`;
      return { name: title, value, unit: "ms", peer: "no audits", peerValue, ratio: value / peerValue };
    };
    const p99 = row("99 %", 0.99);
    return [
      row("median", 0.5),
      { ...p99, target: `<= ${HIGHEST_P99_MS} ms`, met: p99.value <= HIGHEST_P99_MS },
      row("longest", 1),
    ];
  }

  #turnRow(name: string, value: number): BenchRow {
    const target = { target: `<= ${LONGEST_TURN_MS} ms`, met: value <= LONGEST_TURN_MS };
    return { name: `placement: longest turn, ${name}`, value, unit: "ms", ...target };
  }

  /** Pushes of the groups in turn, from this one on. */
  #numbered(router: MeasuredRouter, first: number): Iterator<Push> {
    return pushesOf(router, this.#groups, first);
  }
}

/** Counts copies that a router removes. */
class Removals {
  readonly #router: MeasuredRouter;
  readonly #expected: number;
  readonly #looks: { readonly at: number; readonly count: number }[] = [];
  isOver = false;

  constructor(router: MeasuredRouter, expected: number) {
    this.#router = router;
    this.#expected = expected;
  }

  async watch(signal: AbortSignal): Promise<void> {
    const until = performance.now() + CLEAN_UP_DEADLINE_MS;
    while (!this.isOver && performance.now() < until) {
      signal.throwIfAborted();
      const count = await this.#router.sample("copies_removed_total", 'reason="stale"');
      this.#looks.push({ at: performance.now(), count });
      if (count >= this.#expected) this.isOver = true;
      else await Bun.sleep(CLEAN_UP_LOOK_MS);
    }
    if (!this.isOver) {
      this.isOver = true;
      throw new Error(
        `Cannot wait longer for ${this.#expected} stale copies to be removed: ${this.#looks.at(-1)?.count} are`,
      );
    }
  }

  /** Copies a second from the last look at which none was removed to the first at which all were. */
  get rate(): number {
    const first = this.#looks.findLast(({ count }) => count === 0);
    const last = this.#looks.at(-1);
    if (first === undefined || last === undefined) return Number.NaN;
    return (1_000 * last.count) / (last.at - first.at);
  }
}

async function firstAudit(router: MeasuredRouter): Promise<FirstAudit> {
  const before = router.usedUs();
  await router.waitForAudits(1);
  const cpuSeconds = (router.usedUs() - before) / 1e6;
  return { seconds: await router.auditSeconds(), cpuSeconds, mib: await router.restingMemory() };
}

/** Pushes of these groups in turn, over and over. */
function* pushesOf(router: MeasuredRouter, groups: readonly PlacedGroup[], first = 0): Generator<Push, never> {
  for (let i = first; ; i++) yield { address: router.address, key: (groups[i % groups.length] as PlacedGroup).key };
}

/** Pushes of groups that only routers that know the aliases push. */
function* numberedFresh(router: MeasuredRouter, first: number): Generator<Push, never> {
  for (let i = first; ; i++) yield { address: router.address, key: groupKey(FRESH + (i % CPU_PUSHES)) };
}

function* mapPushes(pushes: Iterator<Push>, change: (push: Push) => Push): Generator<Push> {
  for (let next = pushes.next(); !next.done; next = pushes.next()) yield change(next.value);
}

function* take(pushes: Iterator<Push>, count: number): Generator<Push> {
  for (let i = 0; i < count; i++) yield pushes.next().value as Push;
}

function after(seconds: number): () => boolean {
  const until = performance.now() + 1_000 * seconds;
  return () => performance.now() >= until;
}

function quantileOf(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
