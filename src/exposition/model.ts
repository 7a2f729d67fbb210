import type { ByteString } from "../sharding/byte-string.ts";

/** The types of Prometheus' exposition formats. A text body can name `gauge_histogram` but holds no samples of it. */
export type MetricType = "counter" | "gauge" | "summary" | "untyped" | "histogram" | "gauge_histogram";

/**
 * Label names and values by turns: `[name, value, name, value]`. Flat, because a Pushgateway that holds 100,000 groups holds
 * mostly labels, and an object for each pair would double them.
 */
export type LabelPairs = readonly ByteString[];

/** A point in time as protobuf has it. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

export interface Exemplar {
  readonly labels: LabelPairs;
  readonly value: number;
  readonly timestamp: Timestamp | undefined;
}

export interface Quantile {
  readonly quantile: number;
  readonly value: number;
}

/** Counts are float64, as the text format has them: above 2^53 they lose their last digits. */
export interface Summary {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly Quantile[];
}

export interface Bucket {
  readonly upperBound: number;
  /** Of all observations up to `upperBound`. */
  readonly cumulativeCount: number;
  /** The integer beside or instead of a float, where it is not what `integerOf` implies. */
  readonly integerCount?: number;
  readonly exemplar: Exemplar | undefined;
}

/** A run of consecutive buckets of a native histogram. */
export interface BucketSpan {
  /** Buckets between the end of the previous span, or bucket 0, and the start of this one. */
  readonly offset: number;
  readonly length: number;
}

/** The buckets on one side of zero. Counts are `deltas` from one bucket to the next in an integer histogram, else `counts`. */
export interface NativeBuckets {
  readonly spans: readonly BucketSpan[];
  readonly deltas: readonly number[];
  readonly counts: readonly number[];
}

/** What only a native histogram carries (io.prometheus.client.Histogram, fields 5 to 16). */
export interface NativeHistogram {
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly negative: NativeBuckets;
  readonly positive: NativeBuckets;
  readonly exemplars: readonly Exemplar[];
}

export interface Histogram {
  readonly count: number;
  /** The integer beside or instead of a float, where it is not what `integerOf` implies. */
  readonly integerCount?: number;
  readonly sum: number;
  /** Classic buckets in the order of the body. */
  readonly buckets: readonly Bucket[];
  readonly native: NativeHistogram | undefined;
  /** Whether the counts are floats (`sample_count_float` and its like), as after a recording rule. */
  readonly isFloat: boolean;
}

/** The greatest count of an integer histogram, as near as a number can be; what is greater can only be a floating one. */
const MAX_UINT64 = 2 ** 64;

/**
 * The integer of a count of a histogram. Bodies in protobuf may give an integer, a float or both, and the count is the float if
 * there is one. Unless `integerCount` is there, what may be a float stands alone, so that the integer is 0.
 */
export function integerOf(integerCount: number | undefined, count: number, isFloat: boolean): number {
  return integerCount ?? (isFloat || !Number.isInteger(count) || count > MAX_UINT64 ? 0 : count);
}

/** One series of a family, with what it had when it was pushed. */
export interface Metric {
  readonly labels: LabelPairs;
  /** A number for a counter, gauge or untyped metric; undefined when the body carried no value of the family's type. */
  readonly value: number | Summary | Histogram | undefined;
  /** Milliseconds since 1970. A push with one is refused. */
  readonly timestampMs: number | undefined;
  /** Of a counter. The text format has no place for it. */
  readonly exemplar: Exemplar | undefined;
  /** When the counter, summary or histogram began to count. The text format has no place for it. */
  readonly createdAt: Timestamp | undefined;
}

/** All that one body says of one metric name. */
export interface MetricFamily {
  readonly name: ByteString;
  /** Absent when the body has none: no HELP line is shown then. */
  readonly help: ByteString | undefined;
  readonly type: MetricType;
  /** In the order of the body. */
  readonly metrics: readonly Metric[];
}

/** The labels under which a series is exposed, as pairs and as the text between the braces: equal exactly when the pairs are. */
export interface SeriesLabels {
  /** Sorted by name. */
  readonly labels: LabelPairs;
  readonly labelsText: ByteString;
}

/** A metric with the labels under which it is exposed. */
export interface ExposedMetric extends Metric, SeriesLabels {}

/** A metric as a store keeps it. */
export interface StoredMetric extends ExposedMetric {
  /** The labels that the body gave it, in its order. */
  readonly own: LabelPairs;
}

/** One family of one group as a store keeps it. The next push of the same series alters it in place. */
export interface StoredFamily extends MetricFamily {
  /** In the order in which Pushgateway exposes them. */
  readonly metrics: readonly StoredMetric[];
  /** The same in the order of the body. */
  readonly inBodyOrder: readonly StoredMetric[];
  /** Unix time of the push that brought it, in seconds. */
  readonly pushedAt: number;
  /** Its lines of the text exposition, without HELP and TYPE, once they were asked for: see `linesOf`. */
  readonly text: ByteString | undefined;
}
