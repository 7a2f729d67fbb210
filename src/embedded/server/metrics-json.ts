import { formatGoFloat } from "../../exposition/go-float.ts";
import type {
  Histogram,
  LabelPairs,
  MetricType,
  NativeHistogram,
  StoredFamily,
  StoredMetric,
} from "../../exposition/model.ts";
import { type ByteString, decodeUtf8, isValidUtf8 } from "../../sharding/byte-string.ts";
import { type Group, PUSH_FAILURE_TIME, PUSH_TIME, PUSH_TIME_HELP, type PushTimeName } from "../group-store.ts";
import { bucketRanges } from "./native-buckets.ts";

/*
 * JSON as byte strings: names and values stay the bytes that they are, and are encoded once, with the whole answer. Keys are
 * sorted, as in the answers of Go programs.
 */

/** A group as Pushgateway's `GET /api/v1/metrics` shows it. */
export function formatGroup(group: Group): ByteString {
  const { labels, pushTime, pushFailureTime } = group;
  const isLastSuccessful = pushFailureTime <= pushTime;
  return formatObject([
    ["labels", formatLabels(labels.key)],
    ["last_push_successful", String(isLastSuccessful)],
    [PUSH_TIME, formatPushTime(PUSH_TIME, group)],
    [PUSH_FAILURE_TIME, formatPushTime(PUSH_FAILURE_TIME, group)],
    ...formatFamilies(group),
  ]);
}

/** The families of a group by name. */
export function formatFamilies({ families }: Group): readonly (readonly [ByteString, ByteString])[] {
  return families.map((family) => [family.name, formatFamily(family)]);
}

export function formatLabels(labels: LabelPairs): ByteString {
  const entries: (readonly [ByteString, ByteString])[] = [];
  for (let i = 0; i < labels.length; i += 2)
    entries.push([labels[i] as ByteString, quote(labels[i + 1] as ByteString)]);
  return formatObject(entries);
}

/** An object of values that are JSON already. Of equal names the last stays. */
export function formatObject(entries: readonly (readonly [name: ByteString, value: ByteString])[]): ByteString {
  const byName = new Map(entries);
  const names = [...byName.keys()].sort();
  return `{${names.map((name) => `${quote(name)}:${byName.get(name)}`).join(",")}}`;
}

function formatPushTime(name: PushTimeName, { labels, pushTime, pushFailureTime }: Group): ByteString {
  const value = name === PUSH_TIME ? pushTime : pushFailureTime;
  const metric = `{"labels":${formatLabels(labels.labels)},"value":${number(value)}}`;
  return `{"time_stamp":${timestamp(value || pushTime || pushFailureTime)},"type":"GAUGE","help":${quote(PUSH_TIME_HELP[name])},"metrics":[${metric}]}`;
}

function formatFamily({ help, type, inBodyOrder, pushedAt }: StoredFamily): ByteString {
  const helpEntry = help === undefined || help === "" ? "" : `"help":${quote(help)},`;
  const list = inBodyOrder.map((metric) => formatMetric(type, metric)).join(",");
  return `{"time_stamp":${timestamp(pushedAt)},"type":"${type.toUpperCase()}",${helpEntry}"metrics":[${list}]}`;
}

/** Pushgateway knows no gauge histograms here and shows them as a value of 0. */
function formatMetric(type: MetricType, { labels, value }: StoredMetric): ByteString {
  const labelsEntry = `"labels":${formatLabels(labels)}`;
  if (typeof value !== "object" || type === "gauge_histogram") {
    return `{${labelsEntry},"value":${number(typeof value === "number" ? value : 0)}}`;
  }
  const count = `"count":${typeof value === "object" && "isFloat" in value && value.isFloat ? number(value.count) : integer(value.count)}`;
  const sum = `"sum":${number(value.sum)}`;
  if ("quantiles" in value) {
    const quantiles = value.quantiles.map(
      (quantile) => [formatGoFloat(quantile.quantile), number(quantile.value)] as const,
    );
    return `{${count},${labelsEntry},"quantiles":${formatObject(quantiles)},${sum}}`;
  }
  return `{"buckets":${formatBuckets(value)},${count},${labelsEntry},${sum}}`;
}

function formatBuckets({ buckets, native, isFloat }: Histogram): ByteString {
  if (native !== undefined) return formatNativeBuckets(native, isFloat);
  return formatObject(
    buckets.map(({ upperBound, cumulativeCount }) => [
      formatGoFloat(upperBound),
      isFloat ? number(cumulativeCount) : integer(cumulativeCount),
    ]),
  );
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

function quote(text: ByteString): ByteString {
  // Of what is stored, only HELP may be anything else.
  return JSON.stringify(isValidUtf8(text) ? text : Buffer.from(decodeUtf8(text)).toString("latin1"));
}
