import type { ByteString } from "../sharding/byte-string.ts";
import type { Metric, MetricFamily, SeriesLabels, StoredFamily, StoredMetric } from "./model.ts";
import type { GroupLabels } from "./series-labels.ts";
import { formatLabels } from "./text-labels.ts";
import { formatLines } from "./text-writer.ts";

/** Puts the families of a body in a group: with its labels, sorted by name. Of families of one name the last stays. */
export function storeFamilies(
  families: readonly MetricFamily[],
  group: GroupLabels,
  pushedAt: number,
): readonly StoredFamily[] {
  const stored = families.map((family) => storeFamily(family, group, pushedAt));
  if (stored.length < 2) return stored;
  const sorted = stored.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return sorted.filter((family, index) => family.name !== sorted[index + 1]?.name);
}

function storeFamily(family: MetricFamily, group: GroupLabels, pushedAt: number): StoredFamily {
  const { name, help, type } = family;
  const metrics = family.metrics.map((metric) => storeMetric(metric, group.of(metric.labels)));
  if (metrics.length > 1) metrics.sort(compareMetrics);
  return { name, help, type, metrics, pushedAt, text: flatten(formatLines(name, metrics)) };
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
