import { FAMILIES, type Family, type Held } from "./group-ledger.ts";
import type { ScenarioMember } from "./scenario-member.ts";

/** A group's data on one member. */
export interface Copy {
  readonly address: string;
  /** When the member last took a push for it, by the member's clock; 0 when it took none. */
  readonly pushTimeSeconds: number;
  readonly values: Readonly<Partial<Record<Family, number>>>;
}

/** Copies by the group's labels, written as `labelsKey` does. */
export type Copies = ReadonlyMap<string, readonly Copy[]>;

interface ApiMetric {
  readonly value: string;
}

interface ApiGroup extends Readonly<Record<string, unknown>> {
  readonly labels: Readonly<Record<string, string>>;
}

/** Labels as JSON, sorted by name. */
export function labelsKey(labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1));
  return JSON.stringify(Object.fromEntries(sorted));
}

/** All copies at these members. Throws when one of them does not answer. */
export async function copiesAt(members: readonly ScenarioMember[], timeoutMs = 10_000): Promise<Copies> {
  const copies = new Map<string, Copy[]>();
  const add = (key: string, copy: Copy) => {
    const known = copies.get(key);
    if (known === undefined) copies.set(key, [copy]);
    else known.push(copy);
  };
  const lists = await Promise.all(members.map((member) => groupsAt(member, timeoutMs)));
  for (const [index, groups] of lists.entries()) {
    for (const group of groups) add(labelsKey(group.labels), copyOf(group, members[index]?.address ?? ""));
  }
  return copies;
}

async function groupsAt({ url }: ScenarioMember, timeoutMs: number): Promise<readonly ApiGroup[]> {
  const response = await fetch(`${url}/api/v1/metrics`, { signal: AbortSignal.timeout(timeoutMs) });
  if (!response.ok) throw new Error(`Cannot list the groups of "${url}": ${response.status} ${await response.text()}`);
  return ((await response.json()) as { data: readonly ApiGroup[] }).data;
}

function copyOf(group: ApiGroup, address: string): Copy {
  const values: Partial<Record<Family, number>> = {};
  for (const family of FAMILIES) {
    const held = heldValue(group, family);
    if (held !== undefined) values[family] = held;
  }
  return { address, pushTimeSeconds: heldValue(group, "push_time_seconds") ?? 0, values };
}

function heldValue(group: ApiGroup, family: string): Held {
  const found = group[family] as { readonly metrics: readonly ApiMetric[] } | undefined;
  const [metric] = found?.metrics ?? [];
  return metric === undefined ? undefined : Number(metric.value);
}

/** For messages: where the copies are and what they hold. */
export function describeCopies(copies: readonly Copy[]): string {
  if (copies.length === 0) return "no copy";
  return copies
    .map(({ address, pushTimeSeconds, values }) => {
      const held = Object.entries(values).map(([family, value]) => `${family}=${value}`);
      return `${address} ${held.join(",") || "empty"} pushed ${new Date(pushTimeSeconds * 1_000).toISOString().slice(14, 23)}`;
    })
    .join(" | ");
}
