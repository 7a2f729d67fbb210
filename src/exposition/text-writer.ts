import type { ByteString } from "../sharding/byte-string.ts";
import { formatGoFloat } from "./go-float.ts";
import type { ExposedMetric, Histogram, MetricType, Summary } from "./model.ts";
import { escapeHelp, exposedLabels, exposedName } from "./text-labels.ts";

/** HELP and TYPE of a family. A gauge histogram has no name in this format and is shown as a histogram. */
export function formatHeading(name: ByteString, help: ByteString | undefined, type: MetricType): ByteString {
  const exposed = exposedName(name);
  const helpLine = help === undefined ? "" : `# HELP ${exposed} ${escapeHelp(help)}\n`;
  return `${helpLine}# TYPE ${exposed} ${type === "gauge_histogram" ? "histogram" : type}\n`;
}

/** The samples of one family in the text format 0.0.4, without HELP and TYPE. */
export function formatLines(name: ByteString, metrics: readonly ExposedMetric[]): ByteString {
  const exposed = exposedName(name);
  let text = "";
  for (const { labels, labelsText, value } of metrics) {
    const inBraces = exposedLabels(labels, labelsText);
    if (typeof value === "number") text += formatLine(exposed, inBraces, value);
    else if (value === undefined) continue;
    else if ("quantiles" in value) text += formatSummary(exposed, inBraces, value);
    else text += formatHistogram(exposed, inBraces, value);
  }
  return text;
}

function formatSummary(name: ByteString, labels: ByteString, summary: Summary): ByteString {
  let text = "";
  for (const { quantile, value } of summary.quantiles) {
    text += formatLine(name, withLabel(labels, "quantile", quantile), value);
  }
  return text + formatTotals(name, labels, summary);
}

function formatHistogram(name: ByteString, labels: ByteString, histogram: Histogram): ByteString {
  let text = "";
  let hasInfinity = false;
  for (const { upperBound, cumulativeCount } of histogram.buckets) {
    text += formatLine(`${name}_bucket`, withLabel(labels, "le", upperBound), cumulativeCount);
    if (upperBound === Number.POSITIVE_INFINITY) hasInfinity = true;
  }
  if (!hasInfinity) {
    text += formatLine(`${name}_bucket`, withLabel(labels, "le", Number.POSITIVE_INFINITY), histogram.count);
  }
  return text + formatTotals(name, labels, histogram);
}

function formatTotals(name: ByteString, labels: ByteString, totals: Summary | Histogram): ByteString {
  return formatLine(`${name}_sum`, labels, totals.sum) + formatLine(`${name}_count`, labels, totals.count);
}

function withLabel(labels: ByteString, name: string, bound: number): ByteString {
  return `${labels}${labels === "" ? "" : ","}${name}="${formatSample(bound)}"`;
}

function formatLine(name: ByteString, labels: ByteString, value: number): ByteString {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${formatSample(value)}\n`;
}

/** A zero has no sign in the text format. */
function formatSample(value: number): string {
  return value === 0 ? "0" : formatGoFloat(value);
}
