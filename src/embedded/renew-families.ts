import type { Metric, MetricFamily, StoredFamily, StoredMetric } from "../exposition/model.ts";
import { areSamePairs } from "./store-families.ts";
import type { Writable } from "./writable.ts";

/**
 * Puts the values of a push in the place of those stored, if it consists of the very series that the group holds, or for
 * `keepOthers` of all series of some of its families; otherwise changes nothing and returns false. `pushed` must be sorted by
 * name.
 *
 * That is what nearly all pushes do. Nothing of it can be inconsistent, as the series are the group's already, and nothing that
 * is kept is replaced: with many groups, looking series up and collecting what was replaced costs more than all the rest.
 */
export function renewFamilies(
  stored: readonly StoredFamily[],
  pushed: readonly MetricFamily[],
  now: number,
  keepOthers: boolean,
): boolean {
  if (!haveSameSeries(stored, pushed, keepOthers)) return false;
  let next = 0;
  for (const family of pushed) {
    while ((stored[next] as StoredFamily).name !== family.name) next++;
    renewFamily(stored[next] as StoredFamily, family, now);
  }
  return true;
}

function haveSameSeries(
  stored: readonly StoredFamily[],
  pushed: readonly MetricFamily[],
  keepOthers: boolean,
): boolean {
  if (pushed.length > stored.length || (!keepOthers && pushed.length < stored.length)) return false;
  let next = 0;
  for (const family of pushed) {
    while (keepOthers && next < stored.length && (stored[next] as StoredFamily).name < family.name) next++;
    const counterpart = stored[next++];
    if (counterpart === undefined || !isSameFamily(counterpart, family)) return false;
  }
  return true;
}

function isSameFamily(stored: StoredFamily, pushed: MetricFamily): boolean {
  const { name, type, inBodyOrder } = stored;
  if (name !== pushed.name || type !== pushed.type || inBodyOrder.length !== pushed.metrics.length) return false;
  for (let i = 0; i < inBodyOrder.length; i++) {
    const metric = pushed.metrics[i] as Metric;
    if (metric.value === undefined || !areSamePairs((inBodyOrder[i] as StoredMetric).own, metric.labels)) return false;
  }
  return true;
}

function renewFamily(stored: Writable<StoredFamily>, { help, metrics }: MetricFamily, now: number): void {
  if (stored.help !== help) stored.help = help;
  stored.pushedAt = now;
  stored.text = undefined;
  for (let i = 0; i < metrics.length; i++) {
    const { value, exemplar, createdAt } = metrics[i] as Metric;
    const metric: Writable<StoredMetric> = stored.inBodyOrder[i] as StoredMetric;
    metric.value = value;
    metric.exemplar = exemplar;
    metric.createdAt = createdAt;
  }
}
