/** What a Pushgateway answers for one family of a group, less the time of its last change. */
interface Family {
  readonly type: string;
  readonly help?: string;
  readonly metrics: readonly unknown[];
}

/** A group as a Pushgateway holds it: its families by name, without the push times. */
type Families = Readonly<Record<string, Family>>;

/** Groups by their grouping key, written as JSON with the labels sorted by name. */
export type Groups = ReadonlyMap<string, Families>;

/** The families are siblings of `labels` and `last_push_successful`. */
interface ApiGroup extends Readonly<Record<string, unknown>> {
  readonly labels: Readonly<Record<string, string>>;
}

const NOT_FAMILIES = new Set(["labels", "last_push_successful", "push_time_seconds", "push_failure_time_seconds"]);

/** The groups that a Pushgateway holds, in a form that compares equal wherever and whenever the same was pushed. */
export async function groupsOf(url: string): Promise<Groups> {
  const response = await fetch(`${url}/api/v1/metrics`, { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`Cannot list the groups of "${url}": ${response.status} ${await response.text()}`);
  const answer = (await response.json()) as { data: readonly ApiGroup[] };
  return new Map(answer.data.map((group) => [groupKey(group.labels), familiesOf(group)]));
}

function groupKey(labels: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(labels).sort(([left], [right]) => (left < right ? -1 : 1));
  return JSON.stringify(Object.fromEntries(sorted));
}

/**
 * The groups of several Pushgateways together. `doubled` names every group that has more than one copy, with the URLs that
 * hold it; among `groups` the copy of the first of them counts.
 */
export async function mergedGroups(
  urls: readonly string[],
): Promise<{ readonly groups: Groups; readonly doubled: ReadonlyMap<string, readonly string[]> }> {
  const groups = new Map<string, Families>();
  const holders = new Map<string, string[]>();
  const all = await Promise.all(urls.map(async (url) => ({ url, held: await groupsOf(url) })));
  for (const { url, held } of all) {
    for (const [key, families] of held) {
      if (!groups.has(key)) groups.set(key, families);
      holders.set(key, [...(holders.get(key) ?? []), url]);
    }
  }
  const doubled = new Map([...holders].filter(([, at]) => at.length > 1));
  return { groups: new Map([...groups].sort(([left], [right]) => (left < right ? -1 : 1))), doubled };
}

function familiesOf(group: ApiGroup): Families {
  const families = Object.entries(group)
    .filter(([name]) => !NOT_FAMILIES.has(name))
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, value]) => {
      const { time_stamp: _pushTime, ...family } = value as Family & { time_stamp: string };
      // Some list the series as they were pushed, and some sorted.
      return [name, { ...family, metrics: family.metrics.toSorted(byText) }] as const;
    });
  return Object.fromEntries(families);
}

function byText(left: unknown, right: unknown): number {
  return JSON.stringify(left) < JSON.stringify(right) ? -1 : 1;
}
