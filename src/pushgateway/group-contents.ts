import type { Metric, MetricFamily } from "../exposition/model.ts";
import { encodeDelimited } from "../exposition/protobuf-encoder.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import type { GroupId } from "../sharding/group-id.ts";
import { ExpositionFormatError, ExpositionPicker, type FoundSeries, type WantedSeries } from "./exposition-picker.ts";
import type { JsonFamily, ListedGroup } from "./group-json.ts";
import { type ListingOptions, listGroups } from "./group-listing.ts";
import { labelsOfJson, metricOfJson, parseTimestamp, typeOfJson } from "./json-contents.ts";
import { type MemberAnswer, MemberRequestError, streamMember } from "./member-request.ts";
import { type SeriesKey, seriesKeyOf } from "./series-key.ts";
import { readSingleGroups } from "./single-groups.ts";

/** One family of a group, and when it was pushed. */
export interface ContentFamily extends MetricFamily {
  /** Unix time in seconds: `pushTime` of the group, when the family was in its last push. */
  readonly pushedAt: number;
}

/** What a group holds, in full. */
export interface GroupContents {
  readonly pushTime: number;
  readonly pushFailureTime: number;
  /** Without the two push times, which a Pushgateway makes by itself. */
  readonly families: readonly ContentFamily[];
  /**
   * Whether series are missing among the families: the member's exposition could not be had, and native histograms are nowhere
   * else. Exemplars and times of creation are missing then too, of any family.
   */
  readonly incomplete: boolean;
}

/** A group that is pushed to between the two answers that make up its contents is read again, so many times at most. */
const MAX_ATTEMPTS = 3;

/** What is kept of a group's JSON. Its text is not: it would keep all of the piece in which it came. */
type KeptGroup = Pick<ListedGroup, "id" | "pushTime" | "pushFailureTime"> & {
  readonly pushTimeSeries: SeriesKey;
  readonly families: ReadonlyMap<ByteString, JsonFamily>;
};

/**
 * Reads what groups of one member hold. Groups that are not there are missing in the result.
 *
 * Members that speak the groups API are asked for each group. Of others, the listing tells in JSON what belongs to a group; native
 * histograms, exemplars and times of creation are told only by the exposition in protobuf, where a series has the same labels. While an inconsistency keeps the member from exposing anything, the JSON has
 * to do. `timeoutMs` is the deadline for all of it.
 *
 * @throws MemberRequestError when the member does not answer, or has no listing.
 */
export async function readGroups(
  address: string,
  ids: ReadonlySet<GroupId>,
  options: ListingOptions,
): Promise<ReadonlyMap<GroupId, GroupContents>> {
  const deadline = performance.now() + options.timeoutMs;
  const optionsNow = () => ({ ...options, timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())) });
  const single = await readSingleGroups(address, ids, optionsNow());
  return single ?? (await readListedGroups(address, ids, optionsNow));
}

async function readListedGroups(
  address: string,
  ids: ReadonlySet<GroupId>,
  optionsNow: () => ListingOptions,
): Promise<ReadonlyMap<GroupId, GroupContents>> {
  const contents = new Map<GroupId, GroupContents>();
  let wanted = ids;
  for (let attempt = 1; wanted.size > 0; attempt++) {
    const groups = await listWanted(address, wanted, optionsNow());
    const found = groups.every(isToldByJson) ? NOTHING : await findSeries(address, groups, optionsNow());
    const changed = new Set<GroupId>();
    for (const group of groups) {
      const read = contentsOf(group, found, attempt);
      if (read === undefined) changed.add(group.id);
      else contents.set(group.id, read);
    }
    wanted = changed;
  }
  return contents;
}

/**
 * The families as the body of a push, in delimited protobuf. Pushed under the key of their group, it gives the same series on any
 * Pushgateway.
 */
export function encodeGroupBody(families: readonly MetricFamily[]): Buffer {
  const withoutTimes = families.map((family) => ({
    ...family,
    metrics: family.metrics.map((metric) => ({ ...metric, timestampMs: undefined })),
  }));
  return Buffer.from(encodeDelimited(withoutTimes));
}

/** Undefined: the group was pushed to between the two answers. One that is never at rest is taken as the listing shows it. */
function contentsOf(group: KeptGroup, found: FoundSeries | undefined, attempt: number): GroupContents | undefined {
  if (found === undefined || isToldByJson(group)) return readJson(group);
  return join(group, found) ?? (attempt < MAX_ATTEMPTS ? undefined : readJson(group));
}

/** Whether the JSON tells all of the group: gauges and the like have neither exemplars nor times of creation. */
function isToldByJson({ families }: KeptGroup): boolean {
  return [...families.values()].every(({ type }) => type === "GAUGE" || type === "UNTYPED");
}

const NOTHING: FoundSeries = new Map();

async function listWanted(
  address: string,
  ids: ReadonlySet<GroupId>,
  options: ListingOptions,
): Promise<readonly KeptGroup[]> {
  const groups: KeptGroup[] = [];
  await listGroups(address, options, (group) => {
    if (!ids.has(group.id)) return;
    const { id, pushTime, pushFailureTime } = group;
    groups.push({ id, pushTime, pushFailureTime, pushTimeSeries: pushTimeSeriesOf(group), families: group.families() });
  });
  return groups;
}

function pushTimeSeriesOf({ key }: ListedGroup): SeriesKey {
  const labels = key.labels.flatMap(({ name, value }) => [name, value]);
  const hasInstance = key.labels.some(({ name }) => name === "instance");
  return seriesKeyOf(["job", key.job, ...labels, ...(hasInstance ? [] : ["instance", ""])]);
}

const PUSH_TIME = "push_time_seconds";

const EXPOSITION = {
  method: "GET",
  target: "/metrics",
  headers: [
    "Accept",
    // Without the last parameter, names beyond the legacy ones are replaced.
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8",
  ],
};

/** The series of these groups in the member's exposition; undefined when it exposes nothing. */
async function findSeries(
  address: string,
  groups: readonly KeptGroup[],
  options: ListingOptions,
): Promise<FoundSeries | undefined> {
  const picker = new ExpositionPicker(seriesOf(groups));
  const pickAll = async () => {
    while (picker.step()) if (options.slices.isOver) await options.slices.next();
  };
  try {
    await streamMember(address, { ...EXPOSITION, ...options, onHead: checkType }, (chunk) => {
      picker.push(chunk);
      return pickAll();
    });
    return picker.finish();
  } catch (error) {
    const exposesNothing = error instanceof MemberRequestError && error.kind === "status";
    if (exposesNothing || error instanceof ExpositionFormatError) return undefined;
    throw error;
  }
}

function checkType({ fields }: MemberAnswer): void {
  const type = fields.get("content-type") ?? "";
  if (!type.startsWith("application/vnd.google.protobuf")) throw new ExpositionFormatError(`its exposition is ${type}`);
}

function seriesOf(groups: readonly KeptGroup[]): WantedSeries {
  const wanted = new Map<ByteString, Set<SeriesKey>>([[PUSH_TIME, new Set()]]);
  for (const { pushTimeSeries, families } of groups) {
    wanted.get(PUSH_TIME)?.add(pushTimeSeries);
    for (const [name, { metrics }] of families) {
      const series = wanted.get(name) ?? new Set();
      wanted.set(name, series);
      for (const metric of metrics) series.add(seriesKeyOf(labelsOfJson(metric)));
    }
  }
  return wanted;
}

/** The group's families with the series of the exposition; undefined when it was pushed to between the two answers. */
function join(group: KeptGroup, found: FoundSeries): GroupContents | undefined {
  const pushTime = found.get(PUSH_TIME)?.metrics.get(group.pushTimeSeries)?.value ?? 0;
  if (pushTime !== group.pushTime) return undefined;
  const families: ContentFamily[] = [];
  for (const [name, json] of group.families) {
    const family = found.get(name);
    const metrics: Metric[] = [];
    for (const metric of json.metrics) {
      const series = family?.metrics.get(seriesKeyOf(labelsOfJson(metric)));
      if (series === undefined) return undefined;
      metrics.push(series);
    }
    // JSON does not tell an empty help from none.
    const help = json.help ?? (family?.help === "" ? "" : undefined);
    families.push({ name, help, type: typeOfJson(json), metrics, pushedAt: parseTimestamp(json.time_stamp) });
  }
  return { pushTime: group.pushTime, pushFailureTime: group.pushFailureTime, families, incomplete: false };
}

function readJson({ pushTime, pushFailureTime, families: listed }: KeptGroup): GroupContents {
  const families: ContentFamily[] = [];
  let incomplete = false;
  for (const [name, json] of listed) {
    const type = typeOfJson(json);
    const metrics = json.metrics.map((metric) => metricOfJson(metric, type));
    if (metrics.includes(undefined)) incomplete = true;
    const complete = metrics.filter((metric) => metric !== undefined);
    families.push({ name, help: json.help, type, metrics: complete, pushedAt: parseTimestamp(json.time_stamp) });
  }
  return { pushTime, pushFailureTime, families, incomplete };
}
