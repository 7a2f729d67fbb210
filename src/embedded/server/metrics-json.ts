import { formatGoFloat } from "../../exposition/go-float.ts";
import {
  type Histogram,
  integerOf,
  type LabelPairs,
  type MetricType,
  type NativeHistogram,
  type StoredFamily,
  type StoredMetric,
} from "../../exposition/model.ts";
import { type ByteString, decodeUtf8, isValidUtf8 } from "../../sharding/byte-string.ts";
import { type Group, PUSH_FAILURE_TIME, PUSH_TIME, PUSH_TIME_HELP, type PushTimeName } from "../group-store.ts";
import { bucketRanges } from "./native-buckets.ts";

/*
 * JSON as byte strings: names and values stay the bytes that they are, and are encoded once, with the whole answer.
 */

/** A group as Pushgateway's `GET /api/v1/metrics` shows it. */
export function formatGroup(group: Group): ByteString {
  const { key, labels } = group.labels;
  const { pushTime, pushFailureTime } = group;
  const series = formatLabels(labels);
  return formatObject([
    ["labels", formatLabels(key)],
    ["last_push_successful", String(pushFailureTime <= pushTime)],
    [PUSH_TIME, formatPushTime(PUSH_TIME, pushTime, pushTime || pushFailureTime, series)],
    [PUSH_FAILURE_TIME, formatPushTime(PUSH_FAILURE_TIME, pushFailureTime, pushFailureTime || pushTime, series)],
    ...formatFamilies(group),
  ]);
}

/** The families of a group by name. */
export function formatFamilies({ families, labels }: Group): readonly Entry[] {
  const known: KnownLabels = { pairs: labels.labels, json: formatLabels(labels.labels) };
  return families.map((family) => [family.name, formatFamily(family, known)]);
}

/** The labels of most series of a group, which are those of the group itself. */
interface KnownLabels {
  readonly pairs: LabelPairs;
  readonly json: ByteString;
}

export function formatLabels(labels: LabelPairs): ByteString {
  let text = "{";
  for (let i = 0; i < labels.length; i += 2) {
    text += `${i === 0 ? "" : ","}${quote(labels[i] as ByteString)}:${quote(labels[i + 1] as ByteString)}`;
  }
  return `${text}}`;
}

/** A name, and a value that is JSON already. */
type Entry = readonly [name: ByteString, value: ByteString];

/** An object of entries. Of equal names the last stays. */
export function formatObject(entries: readonly Entry[]): ByteString {
  let text = "";
  for (const [name, value] of new Map(entries)) text += `${text === "" ? "{" : ","}${quote(name)}:${value}`;
  return text === "" ? "{}" : `${text}}`;
}

function formatPushTime(name: PushTimeName, value: number, changedAt: number, labels: ByteString): ByteString {
  const metrics = `[{"labels":${labels},"value":${number(value)}}]`;
  return `{"time_stamp":${timestamp(changedAt)},"type":"GAUGE","help":${quote(PUSH_TIME_HELP[name])},"metrics":${metrics}}`;
}

function formatFamily({ help, type, inBodyOrder, pushedAt }: StoredFamily, known: KnownLabels): ByteString {
  const helpEntry = help === undefined || help === "" ? "" : `"help":${quote(help)},`;
  let metrics = "";
  for (const metric of inBodyOrder) {
    const labels = metric.labels === known.pairs ? known.json : formatLabels(metric.labels);
    metrics += (metrics === "" ? "" : ",") + formatMetric(type, metric, labels);
  }
  return `{"time_stamp":${timestamp(pushedAt)},"type":"${type.toUpperCase()}",${helpEntry}"metrics":[${metrics}]}`;
}

/** Pushgateway knows no gauge histograms here and shows them as a value of 0. */
function formatMetric(type: MetricType, { value }: StoredMetric, labels: ByteString): ByteString {
  const labelsEntry = `"labels":${labels}`;
  if (typeof value !== "object" || type === "gauge_histogram") {
    return `{${labelsEntry},"value":${number(typeof value === "number" ? value : 0)}}`;
  }
  const count = `"count":${typeof value === "object" && "isFloat" in value && value.isFloat ? number(value.count) : integer(value.count)}`;
  const sum = `"sum":${number(value.sum)}`;
  if ("quantiles" in value) {
    const quantiles = value.quantiles.map(
      (quantile) => [formatGoFloat(quantile.quantile), number(quantile.value)] as const,
    );
    return `{${count},${labelsEntry},"quantiles":${formatBounds(quantiles)},${sum}}`;
  }
  return `{"buckets":${formatBuckets(value)},${count},${labelsEntry},${sum}}`;
}

function formatBuckets({ buckets, native, isFloat }: Histogram): ByteString {
  if (native !== undefined) return formatNativeBuckets(native, isFloat);
  return formatBounds(
    buckets.map((bucket) => {
      const { upperBound, cumulativeCount } = bucket;
      const isInteger = integerOf(bucket.integerCount, cumulativeCount, isFloat) === cumulativeCount;
      return [formatGoFloat(upperBound), isInteger ? integer(cumulativeCount) : number(cumulativeCount)];
    }),
  );
}

/** In the order of Go programs, that of the names. */
function formatBounds(entries: readonly Entry[]): ByteString {
  return formatObject(entries.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** As in Prometheus' query API: which bounds belong to the bucket, lower bound, upper bound, count. */
function formatNativeBuckets(native: NativeHistogram, isFloat: boolean): ByteString {
  const ranges = bucketRanges(native, isFloat);
  return `[${ranges.map(({ bounds, lower, upper, count }) => `[${bounds},${number(lower)},${number(upper)},${number(count)}]`).join(",")}]`;
}

function number(value: number): ByteString {
  return `"${formatGoFloat(value)}"`;
}

const UINT64_MAX = 2n ** 64n - 1n;

/** A count. As a float64 the highest is one too high. */
function integer(value: number): ByteString {
  const count = BigInt(value);
  return `"${count > UINT64_MAX ? UINT64_MAX : count}"`;
}

/** Unix time in seconds as RFC 3339. */
function timestamp(seconds: number): ByteString {
  return `"${new Date(seconds * 1000).toISOString()}"`;
}

/** Printable ASCII without quote and backslash, which is quoted as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

function quote(text: ByteString): ByteString {
  if (PLAIN.test(text)) return `"${text}"`;
  // Of what is stored, only HELP may be anything but UTF-8.
  return JSON.stringify(isValidUtf8(text) ? text : Buffer.from(decodeUtf8(text)).toString("latin1"));
}
