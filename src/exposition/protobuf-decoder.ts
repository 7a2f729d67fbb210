import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { ByteString } from "../sharding/byte-string.ts";
import {
  type Bucket,
  type BucketSpan,
  type Exemplar,
  type Histogram,
  integerOf,
  type Metric,
  type MetricFamily,
  type MetricType,
  type NativeBuckets,
  type NativeHistogram,
  type Quantile,
  type Summary,
  type Timestamp,
} from "./model.ts";
import { delimited, FieldReader, fixed64, type Tag, varint } from "./protobuf-reader.ts";

/**
 * A body that is no sequence of io.prometheus.client.MetricFamily messages, each with its length before it. The message is
 * Pushgateway's own; the cause tells more.
 */
export class ProtobufFormatError extends Error {
  override readonly name = "ProtobufFormatError";
}

/** By the numbers of io.prometheus.client.MetricType. */
export const METRIC_TYPES: readonly MetricType[] = [
  "counter",
  "gauge",
  "summary",
  "untyped",
  "histogram",
  "gauge_histogram",
];

/**
 * Reads length-delimited messages of io.prometheus.client.MetricFamily. Families keep the order of the body, repeated names
 * and those without metrics included.
 *
 * @throws ProtobufFormatError
 */
export function parseDelimited(body: Uint8Array): MetricFamily[] {
  const families: MetricFamily[] = [];
  const reader = new BinaryReader(body);
  while (reader.pos < reader.len) {
    const message = orRefuse("unexpected EOF", () => reader.bytes());
    families.push(orRefuse("proto: cannot parse invalid wire-format data", () => readFamily(message)));
  }
  return families;
}

function orRefuse<Result>(problem: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    throw new ProtobufFormatError(problem, { cause: error });
  }
}

function readFamily(message: Uint8Array): MetricFamily {
  let name = "";
  let help: ByteString | undefined;
  let type: MetricType | undefined = "counter";
  const drafts: MetricDraft[] = [];
  FieldReader.readAll(message, (tag, field) => {
    if (tag === delimited(1)) name = field.string();
    else if (tag === delimited(2)) help = field.string();
    else if (tag === varint(3)) type = METRIC_TYPES[field.int32()] ?? type;
    else if (tag === delimited(4)) drafts.push(readMetric(field.message()));
  });
  const finalType = type;
  return { name, help, type: finalType, metrics: drafts.map((draft) => finishMetric(draft, finalType)) };
}

/** A metric before the type of its family says which of its values counts: the type may come after the metrics. */
interface MetricDraft {
  readonly labels: ByteString[];
  readonly timestampMs: number | undefined;
  readonly gauge: number | undefined;
  readonly counter: Counter | undefined;
  readonly summary: (Summary & Created) | undefined;
  readonly untyped: number | undefined;
  readonly histogram: (Histogram & Created) | undefined;
}

type WritableDraft = { -readonly [Field in keyof MetricDraft]: MetricDraft[Field] };

interface Created {
  readonly createdAt: Timestamp | undefined;
}

interface Counter extends Created {
  readonly value: number;
  readonly exemplar: Exemplar | undefined;
}

function readMetric(message: Uint8Array): MetricDraft {
  const draft: WritableDraft = {
    labels: [],
    timestampMs: undefined,
    gauge: undefined,
    counter: undefined,
    summary: undefined,
    untyped: undefined,
    histogram: undefined,
  };
  FieldReader.readAll(message, (tag, field) => {
    if (tag === delimited(1)) readLabel(field.message(), draft.labels);
    else if (tag === varint(6)) draft.timestampMs = field.int64();
    else readMetricValue(tag, field, draft);
  });
  return draft;
}

function readMetricValue(tag: Tag, field: FieldReader, draft: WritableDraft): void {
  if (tag === delimited(2)) draft.gauge = readValue(field.message());
  else if (tag === delimited(3)) draft.counter = readCounter(field.message());
  else if (tag === delimited(4)) draft.summary = readSummary(field.message());
  else if (tag === delimited(5)) draft.untyped = readValue(field.message());
  else if (tag === delimited(7)) draft.histogram = readHistogram(field.message());
}

function finishMetric(draft: MetricDraft, type: MetricType): Metric {
  const { labels, timestampMs } = draft;
  if (type === "counter") {
    const { value, exemplar, createdAt } = draft.counter ?? {};
    return { labels, value, timestampMs, exemplar, createdAt };
  }
  if (type === "gauge" || type === "untyped") {
    return { labels, value: draft[type], timestampMs, exemplar: undefined, createdAt: undefined };
  }
  const value = type === "summary" ? draft.summary : draft.histogram;
  return { labels, value, timestampMs, exemplar: undefined, createdAt: value?.createdAt };
}

function readLabel(message: Uint8Array, into: ByteString[]): void {
  let name = "";
  let value = "";
  FieldReader.readAll(message, (tag, field) => {
    if (tag === delimited(1)) name = field.string();
    else if (tag === delimited(2)) value = field.string();
  });
  into.push(name, value);
}

/** A Gauge or Untyped. */
function readValue(message: Uint8Array): number {
  let value = 0;
  FieldReader.readAll(message, (tag, field) => {
    if (tag === fixed64(1)) value = field.double();
  });
  return value;
}

function readCounter(message: Uint8Array): Counter {
  let value = 0;
  let exemplar: Exemplar | undefined;
  let createdAt: Timestamp | undefined;
  FieldReader.readAll(message, (tag, field) => {
    if (tag === fixed64(1)) value = field.double();
    else if (tag === delimited(2)) exemplar = readExemplar(field.message());
    else if (tag === delimited(3)) createdAt = readTimestamp(field.message());
  });
  return { value, exemplar, createdAt };
}

function readSummary(message: Uint8Array): Summary & Created {
  let count = 0;
  let sum = 0;
  let createdAt: Timestamp | undefined;
  const quantiles: Quantile[] = [];
  FieldReader.readAll(message, (tag, field) => {
    if (tag === varint(1)) count = field.uint64();
    else if (tag === fixed64(2)) sum = field.double();
    else if (tag === delimited(3)) quantiles.push(readQuantile(field.message()));
    else if (tag === delimited(4)) createdAt = readTimestamp(field.message());
  });
  return { count, sum, quantiles, createdAt };
}

function readQuantile(message: Uint8Array): Quantile {
  let quantile = 0;
  let value = 0;
  FieldReader.readAll(message, (tag, field) => {
    if (tag === fixed64(1)) quantile = field.double();
    else if (tag === fixed64(2)) value = field.double();
  });
  return { quantile, value };
}

function readHistogram(message: Uint8Array): Histogram & Created {
  let count = 0;
  let countFloat: number | undefined;
  let sum = 0;
  let createdAt: Timestamp | undefined;
  const buckets: BucketDraft[] = [];
  const native = new NativeDraft();
  FieldReader.readAll(message, (tag, field) => {
    if (tag === varint(1)) count = field.uint64();
    else if (tag === fixed64(4)) countFloat = field.double();
    else if (tag === fixed64(2)) sum = field.double();
    else if (tag === delimited(3)) buckets.push(readBucket(field.message()));
    else if (tag === delimited(15)) createdAt = readTimestamp(field.message());
    else native.readField(tag, field);
  });
  const isFloat = countFloat !== undefined && countFloat > 0;
  const histogram = {
    count: isFloat ? (countFloat ?? 0) : count,
    sum,
    buckets: buckets.map((bucket) => finishBucket(bucket, isFloat)),
    native: native.build(),
    isFloat,
    createdAt,
  };
  return isImplied(count, histogram.count, isFloat) ? histogram : { ...histogram, integerCount: count };
}

/** A bucket before it is known whether its histogram is one of floats: that may come after the buckets. */
interface BucketDraft extends Pick<Bucket, "upperBound" | "exemplar"> {
  readonly count: number;
  readonly countFloat: number;
}

function finishBucket({ upperBound, count, countFloat, exemplar }: BucketDraft, isFloat: boolean): Bucket {
  const bucket = { upperBound, cumulativeCount: countFloat > 0 ? countFloat : count, exemplar };
  return isImplied(count, bucket.cumulativeCount, isFloat) ? bucket : { ...bucket, integerCount: count };
}

/** Whether the integer of a count need not be kept, as is so of nearly all. */
function isImplied(integer: number, count: number, isFloat: boolean): boolean {
  return integer === integerOf(undefined, count, isFloat);
}

function readBucket(message: Uint8Array): BucketDraft {
  let upperBound = 0;
  let count = 0;
  let countFloat = 0;
  let exemplar: Exemplar | undefined;
  FieldReader.readAll(message, (tag, field) => {
    if (tag === varint(1)) count = field.uint64();
    else if (tag === fixed64(4)) countFloat = field.double();
    else if (tag === fixed64(2)) upperBound = field.double();
    else if (tag === delimited(3)) exemplar = readExemplar(field.message());
  });
  return { upperBound, count, countFloat, exemplar };
}

/** The fields of a native histogram, of which a classic one has none. */
class NativeDraft {
  #isNative = false;
  #schema = 0;
  #zeroThreshold = 0;
  #zeroCount = 0;
  #zeroCountFloat = 0;
  readonly #negative = new BucketsDraft();
  readonly #positive = new BucketsDraft();
  readonly #exemplars: Exemplar[] = [];

  readField(tag: Tag, field: FieldReader): void {
    if (tag === varint(5)) this.#schema = field.sint32();
    else if (tag === fixed64(6)) this.#zeroThreshold = field.double();
    else if (tag === varint(7)) this.#zeroCount = field.uint64();
    else if (tag === fixed64(8)) this.#zeroCountFloat = field.double();
    else if (tag === delimited(16)) this.#exemplars.push(readExemplar(field.message()));
    else if (!this.#negative.readField(tag, field, 9) && !this.#positive.readField(tag, field, 12)) return;
    this.#isNative = true;
  }

  build(): NativeHistogram | undefined {
    if (!this.#isNative) return undefined;
    return {
      schema: this.#schema,
      zeroThreshold: this.#zeroThreshold,
      zeroCount: this.#zeroCountFloat > 0 ? this.#zeroCountFloat : this.#zeroCount,
      negative: this.#negative,
      positive: this.#positive,
      exemplars: this.#exemplars,
    };
  }
}

class BucketsDraft implements NativeBuckets {
  readonly spans: BucketSpan[] = [];
  readonly deltas: number[] = [];
  readonly counts: number[] = [];

  /** Spans, deltas and counts have consecutive field numbers. Whether the field was one of them. */
  readField(tag: Tag, field: FieldReader, first: number): boolean {
    if (tag === delimited(first)) this.spans.push(readSpan(field.message()));
    else if (tag === varint(first + 1)) this.deltas.push(field.sint64());
    else if (tag === delimited(first + 1)) field.packedSint64(this.deltas);
    else if (tag === fixed64(first + 2)) this.counts.push(field.double());
    else if (tag === delimited(first + 2)) field.packedDouble(this.counts);
    else return false;
    return true;
  }
}

function readSpan(message: Uint8Array): BucketSpan {
  let offset = 0;
  let length = 0;
  FieldReader.readAll(message, (tag, field) => {
    if (tag === varint(1)) offset = field.sint32();
    else if (tag === varint(2)) length = field.uint32();
  });
  return { offset, length };
}

function readExemplar(message: Uint8Array): Exemplar {
  const labels: ByteString[] = [];
  let value = 0;
  let timestamp: Timestamp | undefined;
  FieldReader.readAll(message, (tag, field) => {
    if (tag === delimited(1)) readLabel(field.message(), labels);
    else if (tag === fixed64(2)) value = field.double();
    else if (tag === delimited(3)) timestamp = readTimestamp(field.message());
  });
  return { labels, value, timestamp };
}

function readTimestamp(message: Uint8Array): Timestamp {
  let seconds = 0;
  let nanos = 0;
  FieldReader.readAll(message, (tag, field) => {
    if (tag === varint(1)) seconds = field.int64();
    else if (tag === varint(2)) nanos = field.int32();
  });
  return { seconds, nanos };
}
