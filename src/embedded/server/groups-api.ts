import { contentTypeOf, negotiateFormat } from "../../exposition/media-type.ts";
import type { MetricFamily } from "../../exposition/model.ts";
import { encodeDelimited } from "../../exposition/protobuf-encoder.ts";
import type { HttpExchange } from "../../http/server-exchange.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import { percentDecode } from "../../sharding/byte-string.ts";
import { type GroupingKey, PushPathError, parsePushPath } from "../../sharding/grouping-key.ts";
import { exposeGroup } from "../family-exposition.ts";
import {
  type Changes,
  type Group,
  type GroupStore,
  PUSH_FAILURE_TIME,
  PUSH_TIME,
  PushRejectedError,
} from "../group-store.ts";
import { type ApiErrorType, listOf, respondData, respondError, streamData } from "./api-answers.ts";
import { type Durable, isDurable, NOT_DURABLE } from "./durable.ts";
import { formatFamilies, formatLabels, formatObject } from "./metrics-json.ts";
import { type BodyLimits, receiveFamilies } from "./push-body.ts";
import type { Answer, RouteTable } from "./route.ts";

export interface GroupsApiParts {
  readonly store: GroupStore;
  readonly limits: BodyLimits;
  /** --push.enable-utf8-names */
  readonly utf8Names: boolean;
  readonly durable: Durable | undefined;
}

/** Raised when a reader would have to know of a change to understand the answers. */
const API_VERSION = 1;

/** What a router wants of its members and Pushgateway does not offer: docs/embedded-pushgateway.md. */
export function groupsApiRoutes(parts: GroupsApiParts): RouteTable {
  const answers: Readonly<Record<string, Record<string, Answer>>> = {
    "/api/v1/dynamic-sharding": { GET: (exchange) => respondData(exchange, `{"api_version":${API_VERSION}}`) },
    "/api/v1/group": {
      GET: (exchange, query) => withErrors(exchange, () => getGroup(parts, exchange, query)),
      PUT: (exchange, query) => withErrors(exchange, () => putGroup(parts, exchange, query)),
      DELETE: (exchange, query) => withErrors(exchange, () => deleteGroup(parts, exchange, query)),
    },
    "/api/v1/groups/changes": {
      GET: (exchange, query) => withErrors(exchange, () => getChanges(parts, exchange, query)),
    },
  };
  return Object.fromEntries(
    Object.entries(answers).map(([path, methods]) => [
      path,
      Object.fromEntries(
        Object.entries(methods).map(([method, answer]) => [method, { handler: path.slice(1), answer }]),
      ),
    ]),
  );
}

/** A request that cannot be met, and why. */
class ApiError extends Error {
  override readonly name = "ApiError";
  readonly type: ApiErrorType;

  constructor(type: ApiErrorType, message: string) {
    super(message);
    this.type = type;
  }
}

async function withErrors(exchange: HttpExchange, answer: () => void | Promise<void>): Promise<void> {
  try {
    await answer();
  } catch (error) {
    if (error instanceof ApiError) respondError(exchange, error.type, error.message);
    else if (error instanceof PushPathError || error instanceof PushRejectedError) {
      respondError(exchange, "bad_data", error.message);
    } else throw error;
  }
}

function getGroup({ store, utf8Names }: GroupsApiParts, exchange: HttpExchange, query: string): void {
  const group = store.get(keyOf(query, utf8Names));
  if (group === undefined) throw new ApiError("not_found", "There is no such group");
  if (negotiateFormat(exchange.head.fields.get("accept")).kind === "protobuf") {
    const bytes = encodeDelimited(exposeGroup(group));
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    exchange.respond(200, ["Content-Type", contentTypeOf({ kind: "protobuf", escaping: "allow-utf-8" })], body);
    return;
  }
  respondData(exchange, formatObject([...formatFamilies(group), ...summaryOf(group)]));
}

async function putGroup(parts: GroupsApiParts, exchange: HttpExchange, query: string): Promise<void> {
  const { store, durable } = parts;
  const key = keyOf(query, parts.utf8Names);
  const pushTime = timeOf(query, PUSH_TIME);
  const pushFailureTime = timeOf(query, PUSH_FAILURE_TIME, 0);
  const families = await familiesOf(exchange, parts.limits);
  refuseNewer(store.get(key), pushTime);
  store.putWithPushTime(key, families, pushTime, pushFailureTime);
  // Before other changes come in between.
  const { version } = store;
  await demandDurable(durable);
  respondData(exchange, `{"version":${version}}`);
}

async function deleteGroup(parts: GroupsApiParts, exchange: HttpExchange, query: string): Promise<void> {
  const { store, durable, utf8Names } = parts;
  const key = keyOf(query, utf8Names);
  const pushTime = timeOf(query, "not_newer_than");
  refuseNewer(store.get(key), pushTime);
  store.deleteIfNotNewer(key, pushTime);
  await demandDurable(durable);
  exchange.respond(202, [], "");
}

async function demandDurable(durable: Durable | undefined): Promise<void> {
  if (!(await isDurable(durable))) throw new ApiError("internal", NOT_DURABLE);
}

function refuseNewer(group: Group | undefined, pushTime: number): void {
  if (group !== undefined && group.pushTime > pushTime) {
    throw new ApiError("conflict", `The group here was pushed at ${group.pushTime}, which is after ${pushTime}`);
  }
}

async function getChanges({ store }: GroupsApiParts, exchange: HttpExchange, query: string): Promise<void> {
  const since = Number(parameter(query, "since") ?? 0);
  if (!Number.isSafeInteger(since) || since < 0) throw new ApiError("bad_data", "Want ?since=<version>");
  await streamData(exchange, formatChanges(store.version, store.changedSince(since)));
}

function* formatChanges(version: number, { groups, deleted, isComplete }: Changes): Iterable<ByteString> {
  yield `{"version":${version},"complete":${isComplete},"groups":`;
  yield* listOf(groups, (group) => formatObject(summaryOf(group)));
  yield ',"deleted":';
  yield* listOf(deleted, ({ key }) => formatLabels(key));
  yield "}";
}

function summaryOf({ labels, version, pushTime, pushFailureTime }: Group): readonly (readonly [string, ByteString])[] {
  return [
    ["labels", formatLabels(labels.key)],
    ["version", String(version)],
    [PUSH_TIME, String(pushTime)],
    [PUSH_FAILURE_TIME, String(pushFailureTime)],
  ];
}

function familiesOf(exchange: HttpExchange, limits: BodyLimits): Promise<readonly MetricFamily[]> {
  return new Promise((resolve, reject) => {
    receiveFamilies(exchange, limits, {
      onFamilies: resolve,
      onRefused: (status, text) => reject(new ApiError(BODY_ERRORS[status], text)),
      onAborted: () => reject(new ApiError("bad_data", "The body is not complete")),
      onFault: reject,
    });
  });
}

const BODY_ERRORS = { 400: "bad_data", 413: "too_large", 503: "unavailable" } as const;

function keyOf(query: string, utf8Names: boolean): GroupingKey {
  const path = parameter(query, "path");
  if (path === undefined) throw new ApiError("bad_data", "Want ?path=/metrics/job/<job>…, percent-encoded");
  return parsePushPath(path, { utf8Names });
}

/** The end of the year 9999, the last that RFC 3339 knows: later times could not be shown. Milliseconds by mistake are beyond it. */
const MAX_TIME = 253_402_300_799;

/** Unix time in seconds. */
function timeOf(query: string, name: string, whenAbsent?: number): number {
  const text = parameter(query, name);
  const time = text === undefined || text === "" ? whenAbsent : Number(text);
  if (time === undefined || !(time >= 0 && time <= MAX_TIME)) {
    throw new ApiError("bad_data", `Want &${name}=<Unix time in seconds>`);
  }
  return time;
}

/** The first value of a parameter. Percent signs are decoded once; a plus is a plus, as it is in a push path. */
function parameter(query: string, name: string): ByteString | undefined {
  const found = query.split("&").find((candidate) => candidate.startsWith(`${name}=`));
  return found === undefined ? undefined : percentDecode(found.slice(name.length + 1));
}
