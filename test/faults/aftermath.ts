import { expect } from "bun:test";
import { type Groups, groupsOf } from "../support/groups.ts";
import {
  figuresOf,
  LOAD_METRIC,
  loadGroupKey,
  loadPath,
  type PushLoad,
  type PushRecord,
} from "../support/push-load.ts";
import { waitFor } from "../support/wait-for.ts";
import type { Fault, FaultCluster } from "./fault-cluster.ts";

/**
 * Ends the load once the ring is whole again and every group has been pushed since, and checks what the clients were promised: every
 * push was answered 2xx within its deadline, and the last value that was acknowledged is there. Values acknowledged before a
 * Pushgateway without persistence died may have died with it; by now each group has a later one. Older copies elsewhere are
 * counted and nothing more: removing them is placement's work. Prints one line of figures.
 */
export async function expectAllDelivered(cluster: FaultCluster, fault: Fault): Promise<void> {
  await cluster.waitForAllActive();
  await cluster.waitForRound();
  await cluster.load.stop();
  const { records, acknowledged } = cluster.load;
  const read = () => Promise.all(cluster.pushgateways.map(({ url }) => groupsOf(url)));
  const missing = (held: readonly Groups[]) =>
    [...acknowledged].flatMap(([group, value]) => missingValue(held, group, value));
  // Without its check, a Pushgateway answers before it applies a push. What is wrong after that time is told below.
  await waitFor("what was acknowledged last", async () => missing(await read()).length === 0).catch(() => {});
  const held = await read();
  const copies = held.reduce((sum, groups) => sum + groups.size, 0);
  const failOvers = await cluster.metric("dynamic_sharding_failovers_total");
  const staleCopies = copies - acknowledged.size;
  process.stderr.write(`FIGURES ${fault.title}: ${figuresLine(fault, cluster.load, failOvers, staleCopies)}\n`);

  expect(countByText(records.flatMap(({ failure }) => failure ?? []))).toEqual({});
  expect(missing(held)).toEqual([]);
  const pushes = async (outcome?: string) =>
    await cluster.metric("dynamic_sharding_pushes_total", outcome === undefined ? {} : { outcome });
  expect([await pushes("delivered"), await pushes()]).toEqual([records.length, records.length]);
  expect(await cluster.metric("dynamic_sharding_members", { state: "active" })).toBe(cluster.pushgateways.length);
}

/** The pushes that belonged to members which the fault did not hit, from its beginning on. */
export function unaffected(
  { owners, victims, startedAt }: Fault,
  records: readonly PushRecord[],
): readonly PushRecord[] {
  return records.filter((record) => record.startedAt >= startedAt && !victims.includes(owners[record.group] ?? ""));
}

/** Failures come by the hundred, and mostly in the same words. */
function countByText(texts: readonly string[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const text of texts) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}

function missingValue(held: readonly Groups[], group: number, value: number): readonly string[] {
  const copies = held.flatMap((groups) => valueIn(groups, group) ?? []);
  return copies.includes(value) ? [] : [`${loadPath(group)}: ${value} was acknowledged, there is ${copies.join(", ")}`];
}

function valueIn(groups: Groups, group: number): number | undefined {
  const [metric] = groups.get(loadGroupKey(group))?.[LOAD_METRIC]?.metrics ?? [];
  return metric === undefined ? undefined : Number((metric as { value: string }).value);
}

function figuresLine(fault: Fault, load: PushLoad, failOvers: number, staleCopies: number): string {
  const { records, missedTurns } = load;
  const { pushes, failed } = figuresOf(records);
  const before = records.filter(({ startedAt, latencyMs }) => startedAt + latencyMs < fault.startedAt);
  const since = records.filter(({ startedAt }) => startedAt >= fault.startedAt);
  const healthy = unaffected(fault, records);
  return [
    `${pushes} pushes`,
    `${failed} failed`,
    `${failOvers} fail-overs`,
    `${staleCopies} stale copies`,
    ...(missedTurns === 0 ? [] : [`${missedTurns} turns missed for want of a free client`]),
    `p50/p99/max in ms before ${latencies(before)}`,
    `since ${latencies(since)}`,
    ...(healthy.length === 0 ? [] : [`of members not hit ${latencies(healthy)}`]),
  ].join(", ");
}

function latencies(records: readonly PushRecord[]): string {
  const { p50, p99, max } = figuresOf(records);
  return [p50, p99, max].map((value) => value.toFixed(1)).join("/");
}
