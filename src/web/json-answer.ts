import type { HeaderList } from "../http/response.ts";
import type { HttpExchange } from "../http/server-exchange.ts";
import { SelectorError } from "../matchers/selector-error.ts";
import { type ByteString, decodeUtf8 } from "../sharding/byte-string.ts";
import { type GroupId, groupPathOf, keyOfGroupId } from "../sharding/group-id.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";

/** Names the members that an answer was put together without, as addresses with commas between them. */
const MISSING_MEMBERS = "X-Dynamic-Sharding-Missing-Members";

/** What Pushgateway puts on every answer of its API, so that pages of other origins may read it. */
export const API_HEADERS: HeaderList = [
  "Access-Control-Allow-Headers",
  "Accept, Authorization, Content-Type, Origin",
  "Access-Control-Allow-Methods",
  "GET, POST, DELETE, OPTIONS",
  "Access-Control-Allow-Origin",
  "*",
  "Access-Control-Expose-Headers",
  `Date, ${MISSING_MEMBERS}`,
  "Cache-Control",
  "no-cache, no-store, must-revalidate",
];

export const JSON_TYPE: HeaderList = ["Content-Type", "application/json"];
export const NOT_READY = "Not ready: discovery has not reported any Pushgateway yet";
export const RETRY_SOON: HeaderList = ["Retry-After", "1"];

/** A request that cannot be answered as it is. The message is for the client, without a newline at its end. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: 400 | 404 | 502 | 503;

  constructor(status: ApiError["status"], message: string) {
    super(message);
    this.status = status;
  }
}

const ERROR_TYPES = { 400: "bad_data", 404: "not_found", 502: "internal", 503: "unavailable" };

export function respondData(exchange: HttpExchange, data: unknown, headers: HeaderList = []): void {
  exchange.respond(200, [...headers, ...JSON_TYPE], `${JSON.stringify({ status: "success", data })}\n`);
}

/** Answers with what is wrong. Throws what is no mistake of the client's and no trouble of the members. */
export function respondError(exchange: HttpExchange, error: unknown, headers: HeaderList = []): void {
  const [status, message] =
    error instanceof ApiError
      ? [error.status, error.message]
      : error instanceof SelectorError
        ? ([400, error.message] as const)
        : [undefined, ""];
  if (status === undefined) throw error;
  const retry = status === 503 ? RETRY_SOON : [];
  const body = { status: "error", errorType: ERROR_TYPES[status], error: message };
  exchange.respond(status, [...headers, ...retry, ...JSON_TYPE], `${JSON.stringify(body)}\n`);
}

/** The header field that names the members which an answer does without; nothing when it has all. */
export function missingMembersHeader(addresses: readonly string[]): HeaderList {
  return addresses.length === 0 ? [] : [MISSING_MEMBERS, addresses.toSorted().join(", ")];
}

/** A group as our own answers name it. */
export interface GroupName {
  readonly labels: Readonly<Record<string, string>>;
  readonly path: string;
}

export function groupNameOf(id: GroupId, utf8Names: boolean): GroupName {
  const key = keyOfGroupId(id);
  return { labels: labelsOf(key), path: groupPathOf(key, { utf8Names }) };
}

/** The labels of a grouping key as text. */
export function labelsOf({ job, labels }: GroupingKey): Readonly<Record<string, string>> {
  return Object.fromEntries([["job", text(job)], ...labels.map(({ name, value }) => [text(name), text(value)])]);
}

const NON_ASCII = /[\x80-\xff]/;

/** A byte string as the UTF-8 text that it encodes. */
export function text(bytes: ByteString): string {
  return NON_ASCII.test(bytes) ? decodeUtf8(bytes) : bytes;
}
