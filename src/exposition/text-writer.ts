import type { ByteString } from "../sharding/byte-string.ts";
import { formatGoFloat } from "./go-float.ts";
import {
  type ExposedMetric,
  type Histogram,
  integerOf,
  type Metric,
  type MetricFamily,
  type Summary,
} from "./model.ts";
import {
  escapeHelp,
  exposedLabels,
  exposedName,
  isLegacyMetricName,
  type NameEscaping,
  quotedName,
} from "./text-labels.ts";

/** HELP and TYPE of a family. A gauge histogram has no name in this format and is shown as a histogram. */
export function formatHeading(
  { name, help, type }: Pick<MetricFamily, "name" | "help" | "type">,
  escaping: NameEscaping = "underscores",
): ByteString {
  const exposed = escaping === "underscores" ? exposedName(name) : quotedName(name);
  const helpLine = help === undefined ? "" : `# HELP ${exposed} ${escapeHelp(help)}\n`;
  return `${helpLine}# TYPE ${exposed} ${type === "gauge_histogram" ? "histogram" : type}\n`;
}

/** The samples of one family in the text format 0.0.4, without HELP and TYPE; with quoted names in its version 1.0.0. */
export function formatLines(
  name: ByteString,
  metrics: readonly ExposedMetric[],
  escaping: NameEscaping = "underscores",
): ByteString {
  const isQuoted = escaping === "allow-utf-8";
  const format = isQuoted && !isLegacyMetricName(name) ? formatQuotedLine : formatLine;
  const exposed = isQuoted ? name : exposedName(name);
  let text = "";
  for (const { labels, labelsText, value } of metrics) {
    text += formatMetric(format, exposed, isQuoted ? labelsText : exposedLabels(labels, labelsText), value);
  }
  return text;
}

function formatMetric(format: LineFormat, name: ByteString, labels: ByteString, value: Metric["value"]): ByteString {
  if (typeof value === "number") return format(name, labels, value);
  if (value === undefined) return "";
  return "quantiles" in value
    ? formatSummary(format, name, labels, value)
    : formatHistogram(format, name, labels, value);
}

/** Makes one line of a name, the text of its labels and a value. */
type LineFormat = (name: ByteString, labels: ByteString, value: number) => ByteString;

function formatSummary(format: LineFormat, name: ByteString, labels: ByteString, summary: Summary): ByteString {
  let text = "";
  for (const { quantile, value } of summary.quantiles) {
    text += format(name, withLabel(labels, "quantile", quantile), value);
  }
  return text + formatTotals(format, name, labels, summary);
}

/** Pushgateway's text has the integers among the counts only. */
function formatHistogram(format: LineFormat, name: ByteString, labels: ByteString, histogram: Histogram): ByteString {
  const { buckets, sum, isFloat } = histogram;
  const count = integerOf(histogram.integerCount, histogram.count, isFloat);
  let text = "";
  let hasInfinity = false;
  for (const bucket of buckets) {
    const { upperBound, cumulativeCount } = bucket;
    const label = withLabel(labels, "le", upperBound);
    text += format(`${name}_bucket`, label, integerOf(bucket.integerCount, cumulativeCount, isFloat));
    if (upperBound === Number.POSITIVE_INFINITY) hasInfinity = true;
  }
  if (!hasInfinity) text += format(`${name}_bucket`, withLabel(labels, "le", Number.POSITIVE_INFINITY), count);
  return text + formatTotals(format, name, labels, { sum, count });
}

function formatTotals(
  format: LineFormat,
  name: ByteString,
  labels: ByteString,
  totals: Pick<Summary | Histogram, "sum" | "count">,
): ByteString {
  return format(`${name}_sum`, labels, totals.sum) + format(`${name}_count`, labels, totals.count);
}

function withLabel(labels: ByteString, name: string, bound: number): ByteString {
  return `${labels}${labels === "" ? "" : ","}${name}="${formatSample(bound)}"`;
}

function formatLine(name: ByteString, labels: ByteString, value: number): ByteString {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${formatSample(value)}\n`;
}

/** A name in quotes stands within the braces. */
function formatQuotedLine(name: ByteString, labels: ByteString, value: number): ByteString {
  return `{${quotedName(name)}${labels === "" ? "" : `,${labels}`}} ${formatSample(value)}\n`;
}

/** A zero has no sign in the text format. */
function formatSample(value: number): string {
  return value === 0 ? "0" : formatGoFloat(value);
}
