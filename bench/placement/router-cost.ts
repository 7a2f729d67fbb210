import { type BenchRow, comparisonRow, type Samples } from "../bench-row.ts";
import { type Cluster, freshPushes, NO_AUDITS, partOf, pushesOf } from "./cluster.ts";
import type { DoubleMembers } from "./double-members.ts";
import { MeasuredRouter } from "./measured-router.ts";
import { type Push, PushLoad } from "./push-load.ts";

const HIGHEST_DIRECTORY_MIB = 60;
const LONGEST_AUDIT_S = 5;
const CONNECTIONS = 16;
const PUSHES = 1_000;
const POSTS = 64;
const ROUNDS = 5;
const ANSWERS = 10;

/** What a router is after its first audit. */
export interface FirstAudit {
  /** MiB. */
  readonly memory: number;
  /** Of the audit, by the router's own account. */
  readonly seconds: number;
  /** From the start of the process to the end of the audit. */
  readonly cpuSeconds: number;
}

/** Starts a router and lets it audit once. */
export async function startAudited(servers: readonly string[]): Promise<[MeasuredRouter, FirstAudit]> {
  const router = await MeasuredRouter.start({ servers, auditInterval: NO_AUDITS });
  await router.waitForAudits(1);
  const cpuSeconds = router.usedUs() / 1e6;
  return [router, { memory: await router.restingMemory(), seconds: await router.auditSeconds(), cpuSeconds }];
}

/** What a router needs of a cluster without groups. */
export async function costWithoutGroups(members: DoubleMembers): Promise<FirstAudit> {
  const [router, cost] = await startAudited(members.addresses);
  await router[Symbol.asyncDispose]();
  return cost;
}

/** What it takes to know where all groups are, beside a router whose groups are at home, and what that adds to a push. */
export async function benchDirectory(
  cluster: Cluster,
  empty: FirstAudit,
  tidy: FirstAudit,
): Promise<readonly BenchRow[]> {
  cluster.context.progress("placement: a directory of all groups");
  const [router, misplaced] = await startAudited(cluster.members.aliases);
  await using away = router;
  return [...auditRows(empty, tidy, misplaced), ...(await pushRows(cluster, away))];
}

function auditRows(empty: FirstAudit, tidy: FirstAudit, misplaced: FirstAudit): readonly BenchRow[] {
  const memory = misplaced.memory - tidy.memory;
  const memoryTarget = { target: `<= ${HIGHEST_DIRECTORY_MIB} MiB`, met: memory <= HIGHEST_DIRECTORY_MIB };
  const durationTarget = { target: `<= ${LONGEST_AUDIT_S} s`, met: misplaced.seconds <= LONGEST_AUDIT_S };
  const row = (name: string, unit: string, of: (audit: FirstAudit) => number, cost: FirstAudit, peer: string) => {
    const [value, peerValue] = [of(cost), of(peer === "at home" ? tidy : empty)];
    return { name: `placement: ${name}`, value, unit, peer, peerValue, ratio: value / peerValue };
  };
  return [
    row("memory after an audit, all at home", "MiB", (audit) => audit.memory, tidy, "no groups"),
    row("memory after an audit, all misplaced", "MiB", (audit) => audit.memory, misplaced, "no groups"),
    { name: "placement: memory of the directory", value: memory, unit: "MiB", ...memoryTarget },
    { ...row("first audit, all misplaced", "s", (audit) => audit.seconds, misplaced, "at home"), ...durationTarget },
    row("start and first audit, CPU, all at home", "s", (audit) => audit.cpuSeconds, tidy, "no groups"),
    row("start and first audit, CPU, all misplaced", "s", (audit) => audit.cpuSeconds, misplaced, "no groups"),
  ];
}

/** Costs of pushes beside those through `home`, and of an answer about the members. */
async function pushRows({ context, groups, home }: Cluster, away: MeasuredRouter): Promise<readonly BenchRow[]> {
  context.progress("placement: processor time of pushes");
  using load = new PushLoad(CONNECTIONS);
  const streams = [
    pushesOf(home, partOf(groups, "home")),
    freshPushes(away),
    pushesOf(away, partOf(groups, "moving")),
  ] as const;
  const routers = [home, away, away] as const;
  const costs: number[][] = streams.map(() => []);
  // The first round is for the compiler.
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [index, pushes] of streams.entries()) {
      const cost = await costUs(load, routers[index] as MeasuredRouter, take(pushes, PUSHES), context.signal);
      if (round > 0) costs[index]?.push(cost);
    }
  }
  const [rest = [], full = [], moving = []] = costs;
  const [few, many] = [await answerMs(home), await answerMs(away)];
  return [
    comparisonRow("placement: CPU per push, all other groups misplaced", "µs", full, "at rest", rest),
    comparisonRow("placement: CPU per push of a misplaced group", "µs", moving, "at rest", rest),
    comparisonRow("placement: CPU per /api/v1/members, all misplaced", "ms", many, "at rest", few),
  ];
}

/** What pushes cost within a minute of the moment when one of the members began to drain. Leaves it draining. */
export async function benchChange({ context, members, groups, home }: Cluster): Promise<readonly BenchRow[]> {
  context.progress("placement: processor time of pushes after a change");
  const { addresses } = members;
  const last = addresses.length - 1;
  const own = partOf(groups, "home");
  const staying = pushesOf(
    home,
    own.filter((group) => group.home !== last),
  );
  const leaving = pushesOf(
    home,
    own.filter((group) => group.home === last),
  );
  using load = new PushLoad(CONNECTIONS);
  const rest: number[] = [];
  for (let round = 0; round < ROUNDS; round++)
    rest.push(await costUs(load, home, take(staying, PUSHES), context.signal));
  const audits = await home.audits();
  await home.reconfigure({ servers: addresses, draining: addresses.slice(last), auditInterval: NO_AUDITS });
  await home.waitForAudits(audits + 1);
  const stayed: number[] = [];
  const moved: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    stayed.push(await costUs(load, home, take(staying, PUSHES), context.signal));
    moved.push(await costUs(load, home, take(leaving, PUSHES / ROUNDS), context.signal));
  }
  const posts = take(leaving, POSTS).map((push) => ({ ...push, method: "POST" as const }));
  const posted = [await costUs(load, home, posts, context.signal)];
  const row = (name: string, costs: Samples) =>
    comparisonRow(`placement: CPU per push after a change, ${name}`, "µs", costs, "before", rest);
  return [
    row("of a group that stays", stayed),
    row("of a group that moves", moved),
    row("POST of a group that moves", posted),
  ];
}

async function costUs(
  load: PushLoad,
  router: MeasuredRouter,
  pushes: readonly Push[],
  signal: AbortSignal,
): Promise<number> {
  const before = router.usedUs();
  await load.pushAll(pushes, signal);
  return (router.usedUs() - before) / pushes.length;
}

async function answerMs(router: MeasuredRouter): Promise<Samples> {
  const costs: number[] = [];
  for (let i = 0; i < ANSWERS; i++) {
    const before = router.usedUs();
    await router.getJson("/api/v1/members");
    costs.push((router.usedUs() - before) / 1e3);
  }
  return costs;
}

function take(pushes: Iterator<Push>, count: number): Push[] {
  return Array.from({ length: count }, () => pushes.next().value as Push);
}
