import type { ByteString } from "../sharding/byte-string.ts";
import { toGoUint64 } from "./go-float.ts";
import type { Bucket, LabelPairs, Metric, MetricFamily, MetricType, Quantile } from "./model.ts";

/** Up to so many labels, a search is faster than a set. */
const FEW_LABELS = 32;

/** A summary or histogram on its way: its lines come one by one. */
interface Collected {
  readonly labels: LabelPairs;
  count: number;
  sum: number;
  readonly quantiles: Quantile[];
  readonly buckets: Bucket[];
  timestampMs: number | undefined;
}

/**
 * Puts the samples of a text body together to one family, as Pushgateway does: the first sample fixes the type; the lines of
 * one summary or histogram may stand in any order, and those that say nothing of it still make it exist.
 */
export class FamilyBuilder {
  readonly name: ByteString;
  help: ByteString | undefined;
  type: MetricType | undefined;
  readonly #metrics: Metric[] = [];
  /** Summaries and histograms by their labels. Most families have none. */
  #collected: Map<string, Collected> | undefined;
  #labels: ByteString[] = [];
  /** The names in `#labels` once they are many: a search would take time in proportion to the square of a hostile line. */
  #names: Set<ByteString> | undefined;
  #bound = Number.NaN;
  #sampleName: ByteString = "";

  constructor(name: ByteString) {
    this.name = name;
  }

  get metricCount(): number {
    return this.#metrics.length + (this.#collected?.size ?? 0);
  }

  /** The label that is no label of the series, but tells its lines apart. */
  get boundLabel(): "quantile" | "le" | undefined {
    if (this.type === "summary") return "quantile";
    return this.type === "histogram" ? "le" : undefined;
  }

  beginSample(sampleName: ByteString): void {
    this.type ??= "untyped";
    this.#sampleName = sampleName;
    this.#labels = [];
    this.#names = undefined;
    this.#bound = Number.NaN;
  }

  /** Whether the sample has the label already; the bound never counts, so of two bounds the last holds. */
  hasLabel(name: ByteString): boolean {
    if (this.#names !== undefined) return this.#names.has(name);
    for (let i = 0; i < this.#labels.length; i += 2) {
      if (this.#labels[i] === name) return true;
    }
    return false;
  }

  addLabel(name: ByteString, value: ByteString): void {
    this.#labels.push(name, value);
    if (this.#names !== undefined) this.#names.add(name);
    else if (this.#labels.length > 2 * FEW_LABELS) this.#names = new Set(this.#labels.filter((_, i) => i % 2 === 0));
  }

  setBound(bound: number): void {
    this.#bound = bound;
  }

  /** Ends the sample; false when the type of the family cannot have samples in the text format. */
  addSample(value: number, timestampMs: number | undefined): boolean {
    if (this.type === "gauge_histogram") return false;
    if (this.type === "summary" || this.type === "histogram") this.#collect(value, timestampMs);
    else this.#metrics.push({ labels: this.#labels, value, timestampMs, exemplar: undefined, createdAt: undefined });
    return true;
  }

  build(): MetricFamily {
    const { name, help, type = "untyped" } = this;
    if (this.#collected === undefined) return { name, help, type, metrics: this.#metrics };
    const totals = Array.from(this.#collected.values(), (collected) => toMetric(collected, type));
    return { name, help, type, metrics: [...this.#metrics, ...totals] };
  }

  #collect(value: number, timestampMs: number | undefined): void {
    const series = this.#series();
    if (timestampMs !== undefined) series.timestampMs = timestampMs;
    // A family that is itself called x_count has samples of that name that count nothing.
    const suffix = this.#sampleName.slice(this.name.length);
    if (suffix === "_count") series.count = toGoUint64(value);
    else if (suffix === "_sum") series.sum = value;
    else if (Number.isNaN(this.#bound)) return;
    else if (this.type === "summary") series.quantiles.push({ quantile: this.#bound, value });
    else series.buckets.push({ upperBound: this.#bound, cumulativeCount: toGoUint64(value), exemplar: undefined });
  }

  #series(): Collected {
    const key = signature(this.#labels);
    this.#collected ??= new Map();
    let series = this.#collected.get(key);
    if (series === undefined) {
      series = { labels: this.#labels, count: 0, sum: 0, quantiles: [], buckets: [], timestampMs: undefined };
      this.#collected.set(key, series);
    }
    return series;
  }
}

function toMetric(collected: Collected, type: MetricType): Metric {
  const { labels, count, sum, quantiles, buckets, timestampMs } = collected;
  const value =
    type === "summary" ? { count, sum, quantiles } : { count, sum, buckets, native: undefined, isFloat: false };
  return { labels, value, timestampMs, exemplar: undefined, createdAt: undefined };
}

/** The same for the same labels in any order. No valid UTF-8 holds the separator. */
function signature(labels: LabelPairs): string {
  if (labels.length <= 2) return labels.join("\xff");
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}\xff${labels[i + 1]}`);
  return pairs.sort().join("\xff");
}
