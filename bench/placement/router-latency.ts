import type { BenchRow } from "../bench-row.ts";
import { type Cluster, freshPushes, NO_AUDITS, partOf, pushesOf } from "./cluster.ts";
import { MeasuredRouter } from "./measured-router.ts";
import { type Push, PushLoad } from "./push-load.ts";
import { Removals } from "./removals.ts";

const HIGHEST_P99_MS = 50;
const LONGEST_TURN_MS = 10;
/** Through each of two routers at the same time. */
const PUSH_RATE = 200;
const SECONDS = 8;
const BACK_TO_BACK = "100ms";
/** The default of `groups.clean_up_rate`. */
const CLEAN_UP_RATE = 500;
const STALE_MEMBERS = 2;
const STALE_PER_MEMBER = 1_000;

/**
 * Latencies in milliseconds through a router at work, and at the same time through one that only routes. Both meet the same members
 * and the same machine, busy with listings: what is between them is the router's own.
 */
interface Latencies {
  readonly ours: readonly number[];
  readonly resting: readonly number[];
  /** How many pushes failed through either. */
  readonly failed: number;
}

/** How long pushes take while one audit follows the other, and while copies are cleaned up. */
export async function benchLatency(cluster: Cluster): Promise<readonly BenchRow[]> {
  const { context, members, home, groups } = cluster;
  context.progress("placement: latency without audits");
  const quiet = await pushThrough(cluster, pushesOf(home, partOf(groups, "home")), after(SECONDS));
  return [
    ...(await benchAudits(cluster, "all at home", members.addresses, quiet)),
    ...(await benchAudits(cluster, "all misplaced", members.aliases, quiet)),
    ...(await benchCleanUp(cluster, quiet)),
  ];
}

async function benchAudits(
  cluster: Cluster,
  name: string,
  servers: readonly string[],
  quiet: Latencies,
): Promise<readonly BenchRow[]> {
  cluster.context.progress(`placement: latency during audits, ${name}`);
  await using router = await MeasuredRouter.start({ servers, auditInterval: BACK_TO_BACK, watchesTurns: true });
  await router.waitForAudits(1);
  await router.longestTurn();
  const isTimeOver = after(SECONDS);
  let isAuditOver = false;
  const audited = router.waitForAudits((await router.audits()) + 1).finally(() => {
    isAuditOver = true;
  });
  const isAtHome = servers === cluster.members.addresses;
  const pushes = isAtHome ? pushesOf(router, partOf(cluster.groups, "home")) : freshPushes(router);
  const latencies = await pushThrough(cluster, pushes, () => isAuditOver && isTimeOver());
  await audited;
  return latencyRows(`audits, ${name}`, latencies, quiet, await router.longestTurn());
}

async function benchCleanUp(cluster: Cluster, quiet: Latencies): Promise<readonly BenchRow[]> {
  const { context, members } = cluster;
  context.progress("placement: clean-up");
  const count = await makeStaleCopies(cluster);
  const settings = { servers: members.aliases, auditInterval: NO_AUDITS, watchesTurns: true };
  await using router = await MeasuredRouter.start(settings);
  await router.waitForAudits(1);
  await router.longestTurn();
  const removals = new Removals(router, count);
  const watching = removals.watch(context.signal);
  const latencies = await pushThrough(cluster, freshPushes(router), () => removals.isOver);
  await watching;
  const rate = removals.rate / STALE_MEMBERS;
  // The router is asked for its count every half second.
  const target = { target: `<= ${CLEAN_UP_RATE} copies`, met: rate <= CLEAN_UP_RATE * 1.05 };
  return [
    { name: `placement: clean-up of ${count} copies, in a second on a member`, value: rate, unit: "copies", ...target },
    ...latencyRows("clean-up", latencies, quiet, await router.longestTurn()),
  ];
}

/** Pushes groups to their owners under the aliases, as if they had moved there. */
async function makeStaleCopies({ context, members, groups }: Cluster): Promise<number> {
  const left = partOf(groups, "stale");
  const stale = Array.from({ length: STALE_MEMBERS }, (_, home) =>
    left.filter((group) => group.home === home).slice(0, STALE_PER_MEMBER),
  ).flat();
  using load = new PushLoad(STALE_MEMBERS);
  await load.pushAll(
    stale.map(({ key, away }) => ({ key, address: members.aliases[away] as string })),
    context.signal,
  );
  return stale.length;
}

async function pushThrough(
  { context, home, groups }: Cluster,
  pushes: Iterator<Push>,
  isOver: () => boolean,
): Promise<Latencies> {
  using load = new PushLoad(PUSH_RATE);
  const others = pushesOf(home, partOf(groups, "home").toReversed());
  const [ours, resting] = await Promise.all(
    [pushes, others].map((own) => load.pushSteadily(own, PUSH_RATE, isOver, context.signal)),
  );
  return {
    ours: ours?.latencies ?? [],
    resting: resting?.latencies ?? [],
    failed: (ours?.failed ?? 0) + (resting?.failed ?? 0),
  };
}

function latencyRows(name: string, during: Latencies, quiet: Latencies, longestTurn: number): readonly BenchRow[] {
  const row = (share: number, title: string, peer: string, of: readonly number[]) => {
    const [value, peerValue] = [quantile(during.ours, share), quantile(of, share)];
    return { name: `placement: ${title} during ${name}`, value, unit: "ms", peer, peerValue, ratio: value / peerValue };
  };
  const p99 = row(0.99, "99 % latency", "no audits", quiet.ours);
  return [
    row(0.5, "median latency", "no audits", quiet.ours),
    { ...p99, target: `<= ${HIGHEST_P99_MS} ms`, met: p99.value <= HIGHEST_P99_MS },
    row(0.99, "99 % latency", "router at rest", during.resting),
    row(1, "longest latency", "router at rest", during.resting),
    {
      name: `placement: pushes that failed during ${name}`,
      value: during.failed,
      unit: "",
      target: "0",
      met: during.failed === 0,
    },
    {
      name: `placement: longest turn during ${name}`,
      value: longestTurn,
      unit: "ms",
      target: `<= ${LONGEST_TURN_MS} ms`,
      met: longestTurn <= LONGEST_TURN_MS,
    },
  ];
}

function after(seconds: number): () => boolean {
  const until = performance.now() + 1_000 * seconds;
  return () => performance.now() >= until;
}

function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
