import type { ClientLoad } from "./client-load.ts";
import { type Copies, copiesAt, describeCopies } from "./copies.ts";
import { type CopySampler, describeChange } from "./copy-sampler.ts";
import { type Attempt, FAMILIES } from "./group-ledger.ts";
import { FAULTS, type Fault, type Finding, judgeGroup } from "./judge.ts";
import { type Kill, wasUnwritten, wasValueUnwritten } from "./kill.ts";
import type { RealClients } from "./real-clients.ts";
import type { ScenarioCluster } from "./scenario-cluster.ts";
import type { ScenarioGroup } from "./scenario-group.ts";
import type { Setback } from "./setback-watch.ts";

/** What took part in a scenario. */
export interface Scene {
  readonly cluster: ScenarioCluster;
  readonly load: ClientLoad;
  readonly sampler: CopySampler;
  readonly realClients: RealClients;
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** Unix time in seconds. */
  readonly startedAtUnix: number;
}

/** What the members hold, compared with what the clients were told. */
export interface Verdict {
  readonly counts: Readonly<Record<Fault, number>>;
  /** Groups that are as they are because a Pushgateway was killed before it had written its file. */
  readonly ownLosses: number;
  /** One text for each thing that is wrong. */
  readonly problems: readonly string[];
  /** How long it took, after the last push, until nothing was wrong. */
  readonly settledAfterMs: number;
}

/** Copies that only one router can join are joined after twenty seconds without pushes and a look (docs/operations.md). */
const SETTLE_DEADLINE_MS = 45_000;
const SHOWN_ATTEMPTS = 8;
const SHOWN_CHANGES = 8;
const SHOWN_LOG_LINES = 12;

/**
 * Compares until nothing is wrong or the time for it is over: after the last push, routers may still have to remove copies.
 * The load must have been stopped.
 */
export async function settle(scene: Scene): Promise<Verdict> {
  const stoppedAt = performance.now();
  for (;;) {
    const copies = await copiesAt(scene.cluster.members);
    const verdict = judge(scene, copies, performance.now() - stoppedAt);
    if (verdict.problems.length === 0 || verdict.settledAfterMs > SETTLE_DEADLINE_MS) return verdict;
    await Bun.sleep(200);
  }
}

/**
 * Without those that a killed Pushgateway is to blame for, which comes back with what it had written, and without families that
 * come back in groups to which clients POST: a router that did not see the other one replace or delete a family cannot tell
 * that it is not just missing (docs/operations.md).
 */
export function blamedSetbacks({ sampler, cluster }: Scene): readonly Setback[] {
  return sampler.setbacks.filter(({ fault, group, family, from }) => {
    if (fault === "returned") return group.style === "put";
    return !wasValueUnwritten(cluster.kills, group, family, from);
  });
}

function judge(scene: Scene, copies: Copies, settledAfterMs: number): Verdict {
  const counts = Object.fromEntries(FAULTS.map((fault) => [fault, 0])) as Record<Fault, number>;
  const problems: string[] = [];
  let ownLosses = 0;
  for (const group of scene.load.groups) {
    const held = copies.get(group.key) ?? [];
    const findings = judgeGroup(group.attempts, held);
    const blamed = findings.filter((finding) => !isOwnLoss(finding, group, scene.cluster.kills));
    ownLosses += findings.length - blamed.length;
    for (const { fault } of blamed) counts[fault]++;
    if (blamed.length > 0) problems.push(describeProblem(scene, group, blamed, describeCopies(held)));
  }
  return { counts, ownLosses, problems: [...problems, ...scene.realClients.judge(copies)], settledAfterMs };
}

/** Whether a killed Pushgateway took with it what it had acknowledged a moment before. */
function isOwnLoss({ fault, family, expectation }: Finding, group: ScenarioGroup, kills: readonly Kill[]): boolean {
  const acknowledged = expectation?.acknowledged;
  if (acknowledged === undefined || fault === "strange") return false;
  const families = family === undefined ? FAMILIES : [family];
  return families.some((name) => wasUnwritten(kills, group.key, name, acknowledged));
}

function describeProblem(scene: Scene, group: ScenarioGroup, findings: readonly Finding[], held: string): string {
  const { startedAt, cluster, sampler } = scene;
  const faults = findings.map(({ fault, family, expectation }) => {
    const wanted = expectation === undefined ? "" : ` (want ${expectation.possible.map(String).join(" or ")})`;
    return `${fault}${family === undefined ? "" : ` ${family}`}${wanted}`;
  });
  const attempts = group.attempts.slice(-SHOWN_ATTEMPTS).map((attempt) => describeAttempt(attempt, startedAt));
  const logged = cluster.routers.flatMap((router) => {
    const lines = router
      .output()
      .split("\n")
      .filter((line) => line.includes(`${group.name}"`) || line.includes(`${group.name}/`));
    return lines.slice(-SHOWN_LOG_LINES).map((line) => `    router ${router.address}: ${line}`);
  });
  return [
    `${group.path(false)}: ${faults.join(", ")}; held: ${held}`,
    "  the client was told:",
    ...attempts.map((text) => `    ${text}`),
    "  the members held:",
    ...sampler.history(group.key, startedAt).slice(-SHOWN_CHANGES).map(describeChange),
    ...logged,
  ].join("\n");
}

function describeAttempt(attempt: Attempt, since: number): string {
  const { method, family, value, router, startedAt, endedAt, failure } = attempt;
  const times = [startedAt, endedAt].map((time) => ((time - since) / 1_000).toFixed(3)).join(" to ");
  const what = method === "DELETE" ? `DELETE (${value})` : `${method} ${family}=${value}`;
  return `${times} s: ${what} at ${router}: ${failure ?? "acknowledged"}`;
}
