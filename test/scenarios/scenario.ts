import { expect, test } from "bun:test";
import { join } from "node:path";
import { describeWithParts } from "../support/parts.ts";
import { ClientLoad } from "./client-load.ts";
import { CopySampler, describeChange } from "./copy-sampler.ts";
import { FAULTS } from "./judge.ts";
import { wasValueUnwritten } from "./kill.ts";
import { type Scene, settle, type Verdict } from "./oracle.ts";
import { RealClients } from "./real-clients.ts";
import { findSawTeeth, SELECTOR, type StoredSeries } from "./saw-tooth.ts";
import { type ClusterOptions, ScenarioCluster } from "./scenario-cluster.ts";
import { scenarioGroups } from "./scenario-group.ts";
import type { Setback } from "./setback-watch.ts";

export interface Scenario extends ClusterOptions {
  readonly title: string;
  /** Whether all DELETEs go to the first router. They take turns, as pushes do, when absent. */
  readonly deletesAtFirst?: boolean;
  /**
   * Whether the routers know different members for a while. As long as they do, each may serve a family from a copy that the other
   * one has left behind, so that steps back in /federate are told and not counted against it.
   */
  readonly viewsDiffer?: boolean;
  /** What happens while the clients push. */
  readonly happens: (scene: Scene) => Promise<void>;
}

const { SCENARIO_RUNS, SCENARIO_LOGS } = process.env;
/** How often each scenario runs; set SCENARIO_RUNS to look for what happens seldom. */
const RUNS = Number(SCENARIO_RUNS ?? 1);
/** About 200 pushes a second. */
const GROUPS = { eager: 4, busy: 110, slow: 40, quiet: 40 };
const TEST_TIMEOUT_MS = 150_000;
const SHOWN_PROBLEMS = 8;
const SHOWN_AROUND_S = 2;

/** A scenario as a test: everything runs, clients push, something happens, and at the end nothing may be lost, doubled or old. */
export async function describeScenario(scenario: Scenario): Promise<void> {
  const parts = ["pushgateway-1.11.0", "pushgateway-1.5.1", "prometheus", "go", "python", "consul"] as const;
  await describeWithParts(parts, `Scenario: ${scenario.title}`, () => {
    const runs = Array.from({ length: RUNS }, (_, index) => ({ run: index + 1 }));
    test.each(runs)(
      "ends with exactly what the clients were told, once (run $run)",
      async () => {
        await runScenario(scenario);
      },
      TEST_TIMEOUT_MS,
    );
  });
}

async function runScenario(scenario: Scenario): Promise<void> {
  await using cluster = await ScenarioCluster.start(scenario);
  const urls = cluster.routers.map(({ url }) => url);
  const realClients = await RealClients.prepare(urls);
  const routers = cluster.routers.map(({ address }) => address);
  const deletesAt = scenario.deletesAtFirst ? routers[0] : undefined;
  await using load = new ClientLoad({ groups: scenarioGroups(GROUPS), routers, deletesAt });
  await using sampler = new CopySampler({
    groups: load.groups,
    members: () => cluster.members.filter(({ running }) => running),
    scraped: () => cluster.scraped(),
  });
  const scene: Scene = {
    cluster,
    load,
    sampler,
    realClients,
    startedAt: performance.now(),
    startedAtUnix: Date.now() / 1_000,
  };
  sampler.start();
  load.start();
  await Promise.all([load.waitForFirstRound(), realClients.run()]);
  await scenario.happens(scene);
  await Promise.all([load.waitForRound(), realClients.run()]);
  await load.stop();
  const verdict = await settle(scene);
  await sampler.stop();
  const stored = await storedSeries(scene);
  process.stderr.write(`FIGURES ${scenario.title}: ${(await figures(scene, verdict, stored)).join(", ")}\n`);
  process.stderr.write(stored.map((job) => describeSawTeeth(scene, job)).join(""));
  await keepLogs(scene, scenario.title);
  expect(verdict.problems.slice(0, SHOWN_PROBLEMS).join("\n")).toBe("");
  expect(describeSetbacks(scene)).toBe("");
  for (const { samples } of stored) expect(samples).toBeGreaterThan(load.groups.length);
  const federated = stored.find(({ by }) => by === "federate")?.backward.map(({ text }) => text);
  if (!scenario.viewsDiffer) expect(federated).toEqual([]);
}

/** Set SCENARIO_LOGS to a folder to have there what the routers logged in the last run of each scenario. */
async function keepLogs({ cluster }: Scene, title: string): Promise<void> {
  if (SCENARIO_LOGS === undefined) return;
  for (const [index, router] of cluster.routers.entries()) {
    await Bun.write(join(SCENARIO_LOGS, `${title.replaceAll(" ", "-")}-router-${index}.log`), router.output());
  }
}

/** What was where around the first few setbacks. */
function describeSetbacks(scene: Scene): string {
  const { sampler, startedAt } = scene;
  const texts = blamedSetbacks(scene)
    .slice(0, SHOWN_PROBLEMS)
    .map(({ fault, group, family, from, to, at }) => {
      const atSeconds = (at - startedAt) / 1_000;
      const around = changesAround(sampler, { key: group.key, atSeconds }, startedAt);
      return [
        `${group.path(false)}: ${fault} ${family}: ${from} to ${to} at ${atSeconds.toFixed(1)} s`,
        ...around,
      ].join("\n");
    });
  return texts.join("\n");
}

/**
 * Without those that a killed Pushgateway is to blame for, which comes back with what it had written, and without families that
 * come back in groups to which clients POST: a router that did not see the other one replace or delete a family cannot tell
 * that it is not just missing (docs/operations.md).
 */
function blamedSetbacks({ sampler, cluster }: Scene): readonly Setback[] {
  return sampler.setbacks.filter(({ fault, group, family, from }) => {
    if (fault === "returned") return group.style === "put";
    return !wasValueUnwritten(cluster.kills, group.key, family, from);
  });
}

function changesAround(
  sampler: CopySampler,
  { key, atSeconds }: { readonly key: string; readonly atSeconds: number },
  startedAt: number,
): readonly string[] {
  const changes = sampler.history(key, startedAt);
  return changes.filter((change) => Math.abs(change.atSeconds - atSeconds) < SHOWN_AROUND_S).map(describeChange);
}

/** What was where around the first few samples that went backward. */
function describeSawTeeth(
  { sampler, startedAt }: Scene,
  { by, backward }: StoredSeries & { readonly by: string },
): string {
  const texts = backward
    .slice(0, SHOWN_PROBLEMS)
    .map((found) => [`  ${by}: ${found.text}`, ...changesAround(sampler, found, startedAt), ""].join("\n"));
  return texts.join("");
}

async function storedSeries(scene: Scene): Promise<readonly (StoredSeries & { readonly by: string })[]> {
  const seconds = Math.ceil(Date.now() / 1_000 - scene.startedAtUnix) + 5;
  const series = await scene.cluster.prometheus.samples(SELECTOR, seconds);
  return ["http_sd", "federate"].map((by) => {
    const own = series.filter(({ labels: { by: job } }) => job === by);
    return { by, ...findSawTeeth(own, scene.startedAtUnix) };
  });
}

/** How many of them are in groups of each style. */
function stylesOf(load: ClientLoad, backward: StoredSeries["backward"]): string {
  if (backward.length === 0) return "";
  const styles = new Map(load.groups.map(({ key, style }) => [key, style]));
  const counts = Object.entries(Object.groupBy(backward, ({ key }) => styles.get(key) ?? "none"));
  return ` (${counts.map(([style, found]) => `${found?.length} ${style}`).join(", ")})`;
}

async function figures(
  scene: Scene,
  { counts, ownLosses, settledAfterMs }: Verdict,
  stored: readonly (StoredSeries & { readonly by: string })[],
): Promise<readonly string[]> {
  const { cluster, load, sampler, realClients, startedAt } = scene;
  const attempts = load.groups.flatMap((group) => group.attempts);
  const unknown = attempts.filter(({ failure }) => failure !== undefined);
  const { milliseconds, key } = sampler.longest;
  const failures = Object.entries(
    Object.groupBy(unknown, ({ failure }) => failure?.replace(/\d+\.\d+\.\d+\.\d+:\d+/g, "…") ?? ""),
  );
  return [
    `${((performance.now() - startedAt) / 1_000).toFixed(0)} s`,
    `${attempts.length} requests`,
    `${unknown.length} not acknowledged`,
    ...failures.map(([text, list]) => `  ${list?.length} × ${text}`),
    realClients.summary,
    ...FAULTS.map((fault) => `${counts[fault]} ${fault}`),
    `${ownLosses} lost by killed Pushgateways`,
    `settled after ${(settledAfterMs / 1_000).toFixed(1)} s`,
    `${blamedSetbacks(scene).length} setbacks on the way`,
    `${sampler.setbacks.filter(({ fault }) => fault === "returned").length} families back for a while`,
    `${sampler.moves} moves seen`,
    `${sampler.doubledOnce} groups doubled in sight, the longest for ${milliseconds.toFixed(0)} ms (${key}; ${sampler.looks} looks)`,
    ...stored.map(
      ({ by, series, samples, backward }) =>
        `${by}: ${backward.length} backward${stylesOf(load, backward)} among ${samples} samples of ${series} series`,
    ),
    ...[...(await cluster.metrics())]
      .filter(([name, value]) => /placement|cop(y|ies)|tombstone|doubt|failovers/.test(name) && value !== 0)
      .map(([name, value]) => `${name.replace("dynamic_sharding_", "")} ${value}`),
  ];
}
