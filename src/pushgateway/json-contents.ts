import { parseGoFloat } from "../exposition/go-float.ts";
import type { Histogram, LabelPairs, Metric, MetricType, Summary } from "../exposition/model.ts";
import type { JsonFamily, JsonMetric } from "./group-json.ts";

const METRIC_TYPES: Readonly<Record<string, MetricType>> = {
  COUNTER: "counter",
  GAUGE: "gauge",
  SUMMARY: "summary",
  UNTYPED: "untyped",
  HISTOGRAM: "histogram",
  GAUGE_HISTOGRAM: "gauge_histogram",
};

export function typeOfJson({ type }: JsonFamily): MetricType {
  return METRIC_TYPES[type] ?? "untyped";
}

export function labelsOfJson({ labels = {} }: JsonMetric): LabelPairs {
  return Object.entries(labels).flat();
}

/**
 * A series from JSON: all numbers in full, without exemplars and times of creation, which JSON does not tell. Undefined for a native
 * histogram, of which JSON tells what Prometheus makes of it and not what was pushed.
 */
export function metricOfJson(json: JsonMetric, type: MetricType): Metric | undefined {
  const value = valueOfJson(json, type);
  if (value === undefined) return undefined;
  return { labels: labelsOfJson(json), value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
}

function valueOfJson(json: JsonMetric, type: MetricType): number | Summary | Histogram | undefined {
  if (type === "summary") return summaryOfJson(json);
  if (type === "histogram" || type === "gauge_histogram") return histogramOfJson(json);
  return numberOf(json.value);
}

function summaryOfJson({ count, sum, quantiles = {} }: JsonMetric): Summary {
  return {
    count: numberOf(count),
    sum: numberOf(sum),
    quantiles: Object.entries(quantiles).map(([quantile, value]) => ({
      quantile: numberOf(quantile),
      value: numberOf(value),
    })),
  };
}

/** A native histogram has an array of buckets, or in 1.5.1, which knows no native ones, no buckets at all. */
function histogramOfJson({ count, sum, buckets = {} }: JsonMetric): Histogram | undefined {
  const bounds = Array.isArray(buckets) ? [] : Object.entries(buckets as Readonly<Record<string, string>>);
  if (bounds.length === 0) return undefined;
  const counted = bounds.map(([bound, counts]) => ({
    upperBound: numberOf(bound),
    cumulativeCount: numberOf(counts),
    exemplar: undefined,
  }));
  counted.sort((a, b) => a.upperBound - b.upperBound);
  const total = numberOf(count);
  const isFloat = !Number.isInteger(total);
  return { count: total, sum: numberOf(sum), buckets: counted, native: undefined, isFloat };
}

function numberOf(text: string | undefined): number {
  return parseGoFloat(text ?? "") ?? Number.NaN;
}

const RFC_3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/**
 * Unix time in seconds of a time by RFC 3339, rounded as Pushgateway rounds the same time for `push_time_seconds`; 0 for what
 * is no such time.
 */
export function parseTimestamp(text: string): number {
  const [, seconds, fraction = "", zone] = RFC_3339.exec(text) ?? [];
  const milliseconds = Date.parse(`${seconds}${zone}`);
  if (Number.isNaN(milliseconds)) return 0;
  const nanoseconds = BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
  return Number(nanoseconds) / 1e9;
}
