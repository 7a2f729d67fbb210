import type { ByteString } from "../sharding/byte-string.ts";
import { type GroupId, groupIdOf } from "../sharding/group-id.ts";
import { type GroupingKey, groupingKeyOf, type Label } from "../sharding/grouping-key.ts";
import { isObject, ListingFormatError, parseObject } from "./listing-splitter.ts";

/** One series as the JSON has it. All numbers are text, in Go's spelling; all text is byte strings. */
export interface JsonMetric {
  readonly labels?: Readonly<Record<ByteString, ByteString>>;
  /** Of a counter, gauge or untyped metric. */
  readonly value?: string;
  readonly count?: string;
  readonly sum?: string;
  /** By quantile. */
  readonly quantiles?: Readonly<Record<string, string>>;
  /** By upper bound; an array in a native histogram, which JSON does not tell in full. */
  readonly buckets?: Readonly<Record<string, string>> | readonly unknown[];
}

/** One family of a group as the JSON has it. */
export interface JsonFamily {
  readonly type: string;
  readonly help?: ByteString;
  /** When it was pushed, by RFC 3339. */
  readonly time_stamp: string;
  readonly metrics: readonly JsonMetric[];
}

/** A group as `GET /api/v1/metrics` lists it. */
export interface ListedGroup {
  readonly id: GroupId;
  readonly key: GroupingKey;
  /** When a push to it was last accepted, as Unix time in seconds; 0 for never, or when the Pushgateway does not know. */
  readonly pushTime: number;
  /** When a push to it was last rejected, as Unix time in seconds; 0 for never. */
  readonly pushFailureTime: number;
  /** Its JSON text, to be passed on. Whoever keeps it keeps the half megabyte that it came in. */
  readonly json: Buffer;
  /** What was pushed, by name. The two push times are not part of it. */
  families(): ReadonlyMap<ByteString, JsonFamily>;
}

const PUSH_TIME = "push_time_seconds";
const PUSH_FAILURE_TIME = "push_failure_time_seconds";

/** From so many bytes on, parsing a group takes a noticeable part of a turn. */
const LARGE_BYTES = 65_536;

/**
 * Reads the text of one group; `spans` are the places of the objects among its members. Of a large group, only what tells it from others is
 * parsed before `families` is called. Throws ListingFormatError.
 */
export function readGroupJson(json: Buffer, spans: readonly number[]): ListedGroup {
  const isLarge = json.length >= LARGE_BYTES;
  const group = isLarge ? parseHead(json, spans) : parseBytes(json);
  const key = readKey(group);
  return {
    id: groupIdOf(key),
    key,
    pushTime: readTime(group[PUSH_TIME]),
    pushFailureTime: readTime(group[PUSH_FAILURE_TIME]),
    json,
    families: () => readFamilies(isLarge ? parseBytes(json) : group),
  };
}

const NAME_BEFORE_MEMBER = /"((?:[^"\\]|\\.)*)"[ \t\r\n]*:[ \t\r\n]*$/;
const HEAD: ReadonlySet<string> = new Set(["labels", PUSH_TIME, PUSH_FAILURE_TIME]);

/** The members that say which group it is, and how it is. */
function parseHead(json: Buffer, spans: readonly number[]): Readonly<Record<string, unknown>> {
  const head: Record<string, unknown> = {};
  let before = 0;
  for (let i = 0; i + 1 < spans.length; i += 2) {
    const [start, end] = [spans[i] as number, spans[i + 1] as number];
    // A name in other characters than these could be spelled with escapes, but nobody escapes these.
    const name = NAME_BEFORE_MEMBER.exec(json.toString("latin1", before, start))?.[1];
    if (name !== undefined && HEAD.has(name)) head[name] = parseBytes(json.subarray(start, end));
    before = end;
  }
  return head;
}

/** Go writes ASCII control characters and a few signs as \u00xx, and what lies above ASCII as it is but for U+2028, U+2029 and U+FFFD. */
const WIDE_ESCAPE = /\\u(?!00[0-7])/i;

/** Parses the bytes as if they were characters, so that strings come out as byte strings at no cost. */
function parseBytes(json: Buffer): Readonly<Record<string, unknown>> {
  const text = json.toString("latin1");
  return WIDE_ESCAPE.test(text)
    ? (toBytes(parseObject(json.toString())) as Record<string, unknown>)
    : parseObject(text);
}

function toBytes(value: unknown): unknown {
  if (typeof value === "string") return Buffer.from(value).toString("latin1");
  if (Array.isArray(value)) return value.map(toBytes);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [toBytes(name), toBytes(member)]));
}

function readKey(group: Readonly<Record<string, unknown>>): GroupingKey {
  const labels: Label[] = [];
  let job: ByteString | undefined;
  for (const [name, value] of Object.entries(readLabels(group))) {
    if (typeof value !== "string")
      throw new ListingFormatError(`the label ${JSON.stringify(name)} of a group is no text`);
    if (name === "job") job = value;
    else labels.push({ name, value });
  }
  if (job === undefined) throw new ListingFormatError("a group has no job");
  return groupingKeyOf(job, labels);
}

/**
 * A family called `labels` takes the place of the group's labels in the JSON. The push time, which every group has, carries them
 * too, with an empty instance where they have none. That an empty instance was meant cannot be told then, and is not assumed.
 */
function readLabels(group: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { labels } = group;
  if (isObject(labels) && !isFamily(labels)) return labels;
  const [metric] = isFamily(labels) && isFamily(group[PUSH_TIME]) ? group[PUSH_TIME].metrics : [];
  if (metric?.labels === undefined) throw new ListingFormatError("a group has no labels");
  const { instance, ...others } = metric.labels;
  return instance === "" || instance === undefined ? others : metric.labels;
}

function isFamily(value: unknown): value is JsonFamily {
  if (!isObject(value)) return false;
  const { metrics } = value;
  return Array.isArray(metrics);
}

function readTime(family: unknown): number {
  const time = isFamily(family) ? Number(family.metrics[0]?.value) : 0;
  return Number.isFinite(time) ? time : 0;
}

function readFamilies(group: Readonly<Record<string, unknown>>): ReadonlyMap<ByteString, JsonFamily> {
  const families = new Map<ByteString, JsonFamily>();
  for (const [name, member] of Object.entries(group)) {
    if (isFamily(member) && name !== PUSH_TIME && name !== PUSH_FAILURE_TIME) families.set(name, member);
  }
  return families;
}
