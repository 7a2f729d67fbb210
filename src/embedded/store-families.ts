import type { LabelPairs, Metric, MetricFamily, StoredFamily, StoredMetric } from "../exposition/model.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import type { FamilyIndex } from "./family-index.ts";
import type { GroupLabels } from "./series-labels.ts";

/** The families of a body sorted by name. Of families of one name the last stays. */
export function sortFamilies(families: readonly MetricFamily[]): readonly MetricFamily[] {
  if (isAscending(families)) return families;
  const sorted = families.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sorted.filter((family, index) => family.name !== sorted[index + 1]?.name);
}

function isAscending(families: readonly MetricFamily[]): boolean {
  for (let i = 1; i < families.length; i++) {
    if ((families[i - 1] as MetricFamily).name >= (families[i] as MetricFamily).name) return false;
  }
  return true;
}

/**
 * Puts the families of a body, sorted by name, in a group: with its labels. What they have in common with what is stored, be
 * it in this group or in another, is taken from there, so that many groups of one kind share it.
 */
export function storeFamilies(
  families: readonly MetricFamily[],
  group: GroupLabels,
  pushedAt: number,
  before: readonly StoredFamily[],
  index: FamilyIndex,
): readonly StoredFamily[] {
  return families.map((family) => {
    const alike = findFamily(before, family.name) ?? index.get(family.name)?.latest;
    return storeFamily(family, group, pushedAt, alike);
  });
}

function storeFamily(
  family: MetricFamily,
  group: GroupLabels,
  pushedAt: number,
  alike: StoredFamily | undefined,
): StoredFamily {
  const { type } = family;
  const name = alike?.name ?? family.name;
  const help = alike?.help === family.help ? alike?.help : family.help;
  const inBodyOrder = family.metrics.map((metric, i) => storeMetric(metric, group, alike?.inBodyOrder[i]));
  const metrics = isSorted(inBodyOrder) ? inBodyOrder : inBodyOrder.toSorted(compareMetrics);
  return { name, help, type, metrics, inBodyOrder, pushedAt, text: undefined };
}

function storeMetric(metric: Metric, group: GroupLabels, alike: StoredMetric | undefined): StoredMetric {
  const { value, timestampMs, exemplar, createdAt } = metric;
  const own = alike !== undefined && areSamePairs(alike.own, metric.labels) ? alike.own : metric.labels;
  const { labels, labelsText } = group.of(own);
  return { own, labels, labelsText, value, timestampMs, exemplar, createdAt };
}

/** Whether the names and the values are the same, in the same order. */
export function areSamePairs(a: LabelPairs, b: LabelPairs): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/** The family of that name in a list that is sorted by name. */
export function findFamily(families: readonly StoredFamily[], name: ByteString): StoredFamily | undefined {
  let low = 0;
  let high = families.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((families[middle] as StoredFamily).name < name) low = middle + 1;
    else high = middle;
  }
  return families[low]?.name === name ? families[low] : undefined;
}

function isSorted(metrics: readonly StoredMetric[]): boolean {
  for (let i = 1; i < metrics.length; i++) {
    if (compareMetrics(metrics[i - 1] as StoredMetric, metrics[i] as StoredMetric) > 0) return false;
  }
  return true;
}

/** Fewer labels first, then by the values in the order of the names. */
function compareMetrics({ labels: a }: StoredMetric, { labels: b }: StoredMetric): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 1; i < a.length; i += 2) {
    const [left, right] = [a[i] as ByteString, b[i] as ByteString];
    if (left !== right) return left < right ? -1 : 1;
  }
  return 0;
}
