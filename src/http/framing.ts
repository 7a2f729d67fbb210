import { FIELD_KINDS } from "./field-kind.ts";
import { type HeaderFields, isBlank } from "./header-fields.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";

/** How a message's body is delimited (RFC 9112 §6.3). */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "until-close" };

export const NO_BODY: BodyFraming = { kind: "none" };
export const CHUNKED_BODY: BodyFraming = { kind: "chunked" };
export const BODY_UNTIL_CLOSE: BodyFraming = { kind: "until-close" };

/** The facts that decide where a message ends and whether its connection lives on. */
export interface FramingFields {
  /** Content-Length, or -1 when there is none. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** Options of all Connection fields, in lower case. */
  readonly connectionOptions: readonly string[];
  readonly hostCount: number;
  /** Values of Expect in lower case, parted by commas; or the empty string. */
  readonly expect: string;
}

// What cannot stand in `uri-host [":" port]` (RFC 9110 §7.2) and would mean something to another reader.
const HOST = /^[^ \t,/?#@\\]*$/;

/** Reads framing fields strictly: two readings of one message are what request smuggling lives on (RFC 9112 §11.2). */
export function readFramingFields(fields: HeaderFields): FramingFields {
  let contentLength = -1;
  let transferEncoding = "";
  let hostCount = 0;
  let expect = "";
  let connection = "";
  for (let i = 0; i < fields.count; i++) {
    const kind = fields.kindAt(i);
    if (kind === FIELD_KINDS.endToEnd || kind === FIELD_KINDS.hopByHop) continue;
    switch (kind) {
      case FIELD_KINDS.contentLength:
        contentLength = mergeContentLength(contentLength, fields.decimalAt(i));
        break;
      case FIELD_KINDS.transferEncoding:
        transferEncoding = joinList(transferEncoding, nonEmpty(fields.valueAt(i)));
        break;
      case FIELD_KINDS.connection:
        connection = joinList(connection, fields.valueAt(i));
        break;
      case FIELD_KINDS.host:
        checkHost(fields.valueAt(i));
        hostCount++;
        break;
      case FIELD_KINDS.expect:
        expect = joinList(expect, fields.valueAt(i).toLowerCase());
        break;
    }
  }
  const chunked = checkTransferEncoding(transferEncoding, contentLength);
  return { contentLength, chunked, connectionOptions: readConnectionOptions(connection), hostCount, expect };
}

const NO_OPTIONS: readonly string[] = [];

/** Clients name one or two. Each is looked for among all fields when a message is passed on, which must not become costly. */
const MAX_CONNECTION_OPTIONS = 32;

function readConnectionOptions(connection: string): readonly string[] {
  if (connection === "") return NO_OPTIONS;
  const options = splitList(connection);
  if (options.length > MAX_CONNECTION_OPTIONS) {
    throw new HttpSyntaxError(431, `Too many Connection options: more than ${MAX_CONNECTION_OPTIONS}`);
  }
  return options;
}

/** Fields of one name mean their values joined by commas (RFC 9110 §5.2). */
function joinList(seen: string, value: string): string {
  return seen === "" ? value : `${seen},${value}`;
}

function checkHost(value: string): void {
  if (!HOST.test(value)) throw new HttpSyntaxError(400, "Malformed HTTP head: bad Host");
}

/** Takes a repeated Content-Length that says the same, as Pushgateway's HTTP library does, but no list like `5, 5`. */
function mergeContentLength(seen: number, length: number): number {
  if (length === -1) throw new HttpSyntaxError(400, "Malformed HTTP head: Content-Length is not a number");
  if (seen === -1 || seen === length) return length;
  throw new HttpSyntaxError(400, "Malformed HTTP head: two different Content-Lengths");
}

function nonEmpty(transferEncoding: string): string {
  if (transferEncoding !== "") return transferEncoding;
  throw new HttpSyntaxError(400, "Malformed HTTP head: empty Transfer-Encoding");
}

function checkTransferEncoding(transferEncoding: string, contentLength: number): boolean {
  if (transferEncoding === "") return false;
  if (contentLength !== -1) {
    throw new HttpSyntaxError(400, "Malformed HTTP head: both Content-Length and Transfer-Encoding");
  }
  if (transferEncoding.toLowerCase() !== "chunked") {
    throw new HttpSyntaxError(501, "Unsupported Transfer-Encoding: only chunked is understood");
  }
  return true;
}

/** Splits a comma-separated field value into lower-case, non-empty items. */
export function splitList(value: string): string[] {
  return value
    .toLowerCase()
    .split(",")
    .map(trimBlanks)
    .filter((item) => item !== "");
}

/** By hand: an expression for blanks at the end tries every run of blanks from each of its bytes, which can take minutes. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}
