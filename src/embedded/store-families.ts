import type { Metric, MetricFamily, SeriesLabels, StoredFamily, StoredMetric } from "../exposition/model.ts";
import { formatLabels } from "../exposition/text-labels.ts";
import { formatLines } from "../exposition/text-writer.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import type { GroupLabels } from "./series-labels.ts";

/**
 * Puts the families of a body in a group: with its labels, sorted by name. Of families of one name the last stays. What is
 * as it was `before` in the group is taken from there: a store in which pushes renew only what they change is cheaper to
 * keep free of garbage.
 */
export function storeFamilies(
  families: readonly MetricFamily[],
  group: GroupLabels,
  pushedAt: number,
  before: readonly StoredFamily[],
): readonly StoredFamily[] {
  const stored = families.map((family) => storeFamily(family, group, pushedAt, before));
  if (stored.length < 2) return stored;
  const sorted = stored.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sorted.filter((family, index) => family.name !== sorted[index + 1]?.name);
}

function storeFamily(
  family: MetricFamily,
  group: GroupLabels,
  pushedAt: number,
  groupBefore: readonly StoredFamily[],
): StoredFamily {
  const before = findFamily(groupBefore, family.name);
  const { type } = family;
  const name = before?.name ?? family.name;
  const help = before?.help === family.help ? before?.help : family.help;
  const metrics = family.metrics.map((metric, index) => {
    const labels = group.of(metric.labels);
    const same = before?.metrics[index];
    return storeMetric(metric, same?.labelsText === labels.labelsText ? same : labels);
  });
  if (metrics.length > 1) metrics.sort(compareMetrics);
  return { name, help, type, metrics, pushedAt, text: flatten(formatLines(name, metrics)) };
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

function storeMetric(metric: Metric, { labels, labelsText }: SeriesLabels): StoredMetric {
  const { value, timestampMs, exemplar, createdAt } = metric;
  return { labels, labelsText, value, timestampMs, exemplar, createdAt };
}

/** The lines of a family of the server itself, which belongs to no group. */
export function formatOwnFamily({ name, metrics }: MetricFamily): ByteString {
  const own = metrics.map((metric) =>
    storeMetric(metric, { labels: metric.labels, labelsText: formatLabels(metric.labels) }),
  );
  return formatLines(name, own);
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

/** The same text in one piece: a string that was put together keeps its parts until somebody looks into it. */
function flatten(text: ByteString): ByteString {
  return Buffer.from(text, "latin1").toString("latin1");
}
