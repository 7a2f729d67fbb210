import type { ExposedMetric, MetricFamily, StoredFamily } from "../exposition/model.ts";
import { formatLabels, isLegacyMetricName, mayHoldQuotedNames, type NameEscaping } from "../exposition/text-labels.ts";
import { formatLines } from "../exposition/text-writer.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import type { Writable } from "./writable.ts";

/**
 * The lines of a family of one group in the text format. Those without quoted names, as nearly all are, stay until the family
 * changes. They are made here and not at
 * the push, as most groups are pushed to more often than they are scraped, and few are between two scrapes.
 */
export function linesOf(family: StoredFamily, escaping: NameEscaping): ByteString {
  if (escaping === "allow-utf-8" && hasQuotedNames(family)) return formatLines(family.name, family.metrics, escaping);
  const kept: Writable<StoredFamily> = family;
  kept.text ??= flatten(formatLines(family.name, family.metrics));
  return kept.text;
}

function hasQuotedNames({ name, metrics }: StoredFamily): boolean {
  return !isLegacyMetricName(name) || metrics.some(({ labelsText }) => mayHoldQuotedNames(labelsText));
}

/** The lines of a family of the server itself, which belongs to no group. */
export function formatOwnFamily({ name, metrics }: MetricFamily): ByteString {
  const exposed = metrics.map((metric): ExposedMetric => ({ ...metric, labelsText: formatLabels(metric.labels) }));
  return formatLines(name, exposed);
}

/** The same text in one piece: a string that was put together keeps its parts until somebody looks into it. */
function flatten(text: ByteString): ByteString {
  return Buffer.from(text, "latin1").toString("latin1");
}
