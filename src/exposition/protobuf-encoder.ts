import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { ByteString } from "../sharding/byte-string.ts";
import {
  type Bucket,
  type Exemplar,
  type Histogram,
  integerOf,
  type LabelPairs,
  type Metric,
  type MetricFamily,
  type MetricType,
  type NativeBuckets,
  type NativeHistogram,
  type Summary,
  type Timestamp,
} from "./model.ts";
import { METRIC_TYPES } from "./protobuf-decoder.ts";

/** The families as messages of io.prometheus.client.MetricFamily, each with its length before it. */
export function encodeDelimited(families: Iterable<MetricFamily>): Uint8Array {
  const writer = new BinaryWriter();
  for (const family of families) {
    writer.fork();
    writeFamily(writer, family);
    writer.join();
  }
  return writer.finish();
}

function writeFamily(writer: BinaryWriter, { name, help, type, metrics }: MetricFamily): void {
  writeString(writer, 1, name);
  if (help !== undefined) writeString(writer, 2, help);
  writer.tag(3, WireType.Varint).int32(METRIC_TYPES.indexOf(type));
  for (const metric of metrics) writeMessage(writer, 4, () => writeMetric(writer, metric, type));
}

function writeMetric(writer: BinaryWriter, metric: Metric, type: MetricType): void {
  const { labels, value, timestampMs, exemplar, createdAt } = metric;
  writeLabels(writer, labels);
  if (value === undefined) return;
  if (typeof value !== "number") {
    if ("quantiles" in value) writeMessage(writer, 4, () => writeSummary(writer, value, createdAt));
    else writeMessage(writer, 7, () => writeHistogram(writer, value, createdAt));
  } else if (type === "counter") {
    writeMessage(writer, 3, () => {
      writeDouble(writer, 1, value);
      writeExemplar(writer, 2, exemplar);
      writeTimestamp(writer, 3, createdAt);
    });
  } else writeMessage(writer, type === "gauge" ? 2 : 5, () => writeDouble(writer, 1, value));
  if (timestampMs !== undefined) writer.tag(6, WireType.Varint).int64(toInt64(timestampMs));
}

function writeSummary(writer: BinaryWriter, summary: Summary, createdAt: Timestamp | undefined): void {
  writeCount(writer, 1, summary.count);
  writeDouble(writer, 2, summary.sum);
  for (const { quantile, value } of summary.quantiles) {
    writeMessage(writer, 3, () => {
      writeDouble(writer, 1, quantile);
      writeDouble(writer, 2, value);
    });
  }
  writeTimestamp(writer, 4, createdAt);
}

function writeHistogram(writer: BinaryWriter, histogram: Histogram, createdAt: Timestamp | undefined): void {
  const { count, sum, buckets, native, isFloat } = histogram;
  // Whoever reads it knows by the floating count that all of it counts in floats.
  writeEitherCount(writer, 1, 4, count, integerOf(histogram.integerCount, count, isFloat), isFloat);
  writeDouble(writer, 2, sum);
  for (const bucket of buckets) writeMessage(writer, 3, () => writeBucket(writer, bucket, isFloat));
  if (native !== undefined) writeNative(writer, native, isFloat);
  writeTimestamp(writer, 15, createdAt);
}

function writeBucket(writer: BinaryWriter, bucket: Bucket, isFloat: boolean): void {
  const { cumulativeCount } = bucket;
  writeEitherCount(writer, 1, 4, cumulativeCount, integerOf(bucket.integerCount, cumulativeCount, isFloat));
  writeDouble(writer, 2, bucket.upperBound);
  writeExemplar(writer, 3, bucket.exemplar);
}

function writeNative(writer: BinaryWriter, native: NativeHistogram, isFloat: boolean): void {
  writer.tag(5, WireType.Varint).sint32(native.schema);
  writeDouble(writer, 6, native.zeroThreshold);
  writeEitherCount(writer, 7, 8, native.zeroCount, integerOf(undefined, native.zeroCount, isFloat));
  writeNativeBuckets(writer, 9, native.negative);
  writeNativeBuckets(writer, 12, native.positive);
  for (const exemplar of native.exemplars) writeExemplar(writer, 16, exemplar);
}

/** Spans, deltas and counts have consecutive field numbers. */
function writeNativeBuckets(writer: BinaryWriter, first: number, { spans, deltas, counts }: NativeBuckets): void {
  for (const { offset, length } of spans) {
    writeMessage(writer, first, () => {
      writer.tag(1, WireType.Varint).sint32(offset);
      writer.tag(2, WireType.Varint).uint32(length);
    });
  }
  for (const delta of deltas) writer.tag(first + 1, WireType.Varint).sint64(toInt64(delta));
  for (const count of counts) writeDouble(writer, first + 2, count);
}

function writeExemplar(writer: BinaryWriter, field: number, exemplar: Exemplar | undefined): void {
  if (exemplar === undefined) return;
  writeMessage(writer, field, () => {
    writeLabels(writer, exemplar.labels);
    writeDouble(writer, 2, exemplar.value);
    writeTimestamp(writer, 3, exemplar.timestamp);
  });
}

function writeTimestamp(writer: BinaryWriter, field: number, timestamp: Timestamp | undefined): void {
  if (timestamp === undefined) return;
  writeMessage(writer, field, () => {
    writer.tag(1, WireType.Varint).int64(toInt64(timestamp.seconds));
    writer.tag(2, WireType.Varint).int32(timestamp.nanos);
  });
}

/** The field of labels is the first of all messages that have some. */
function writeLabels(writer: BinaryWriter, labels: LabelPairs): void {
  for (let i = 0; i < labels.length; i += 2) {
    writeMessage(writer, 1, () => {
      writeString(writer, 1, labels[i] as ByteString);
      writeString(writer, 2, labels[i + 1] as ByteString);
    });
  }
}

function writeMessage(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  write();
  writer.join();
}

function writeString(writer: BinaryWriter, field: number, value: ByteString): void {
  writer.tag(field, WireType.LengthDelimited).bytes(Buffer.from(value, "latin1"));
}

function writeDouble(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Bit64).double(value);
}

/** A count that a float histogram has in a field of its own. Bodies may mix the two. */
function writeEitherCount(
  writer: BinaryWriter,
  field: number,
  floatField: number,
  count: number,
  integer: number,
  mustTellFloat = false,
): void {
  const tellsFloat = mustTellFloat || count !== integer;
  if (tellsFloat) writeDouble(writer, floatField, count);
  if (!tellsFloat || integer !== 0) writeCount(writer, field, integer);
}

/** Integers that were rounded to 2^63 get the largest that there is, which is rounded in the same way when it is read. */
function toInt64(value: number): bigint {
  return value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value);
}

/** Counts that were rounded to 2^64 get the largest that there is. */
function writeCount(writer: BinaryWriter, field: number, count: number): void {
  writer.tag(field, WireType.Varint).uint64(BigInt.asUintN(64, count >= 2 ** 64 ? -1n : BigInt(count)));
}
