import type { ExposedMetric, MetricFamily, StoredFamily } from "../exposition/model.ts";
import { formatLabels } from "../exposition/text-labels.ts";
import { formatLines } from "../exposition/text-writer.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import type { Writable } from "./writable.ts";

/**
 * The lines of a family of one group in the text format, which stay until the family changes. They are made here and not at
 * the push, as most groups are pushed to more often than they are scraped, and few are between two scrapes.
 */
export function linesOf(family: StoredFamily): ByteString {
  const kept: Writable<StoredFamily> = family;
  kept.text ??= flatten(formatLines(family.name, family.metrics));
  return kept.text;
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
