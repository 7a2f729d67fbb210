/**
 * Header fields in the order and spelling in which they came: name, value, name, value … Values are byte strings (every
 * char code is one byte), trimmed of surrounding blanks. Flat because a push carries few fields and most are only passed on.
 */
export type HeaderList = readonly string[];

/** An HTTP message that breaks RFC 9112, or a limit of ours. The message names the fault; `status` is what a client is told. */
export class HttpSyntaxError extends Error {
  override name = "HttpSyntaxError" as const;
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** How a message's body is delimited (RFC 9112 §6.3). */
export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "until-close" };

export const NO_BODY: BodyFraming = { kind: "none" };
export const CHUNKED_BODY: BodyFraming = { kind: "chunked" };
export const BODY_UNTIL_CLOSE: BodyFraming = { kind: "until-close" };

// Two native scans beat one expression for whole lines, which JavaScriptCore gives up on when there are very many of them.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is kept out.
const CONTROL_CHARACTER = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;
// What cannot stand in `uri-host [":" port]` (RFC 9110 §7.2) and would mean something to another reader.
const HOST = /^[^ \t,/?#@\\]*$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Refuses control characters but tab, CR and LF, for which see `endOfLine`. `head` is everything before the empty line. */
export function checkHeadBytes(head: string): void {
  if (CONTROL_CHARACTER.test(head)) throw new HttpSyntaxError(400, "Malformed HTTP head: control character");
}

/**
 * Where the line that begins at `start` ends: at its CRLF, or at the end of the head. Refuses a CR or LF that stands alone:
 * some parsers end a line there and some do not, and that is what header injection and request smuggling are made of.
 */
export function endOfLine(head: string, start: number): number {
  const cr = head.indexOf("\r", start);
  const lf = head.indexOf("\n", start);
  if (cr === -1 && lf === -1) return head.length;
  if (cr === -1 || lf !== cr + 1) throw new HttpSyntaxError(400, "Malformed HTTP head: line does not end in CRLF");
  return cr;
}

/** Reads the field lines of a head from `start`, the first byte after the start line's CRLF. */
export function parseHeaderLines(head: string, start: number): string[] {
  const headers: string[] = [];
  let position = start;
  while (position < head.length) {
    const end = endOfLine(head, position);
    const colon = head.indexOf(":", position);
    const name = colon === -1 || colon > end ? "" : head.slice(position, colon);
    // Also catches a blank before the colon and a folded line, both forbidden because proxies read them differently.
    if (!TOKEN.test(name)) throw new HttpSyntaxError(400, "Malformed HTTP head: bad header line");
    headers.push(name, trimBlanks(head, colon + 1, end));
    position = end + 2;
  }
  return headers;
}

function trimBlanks(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** The first value of a field, or undefined. `lowerName` is in lower case; field names are case-insensitive. */
export function headerValue(headers: HeaderList, lowerName: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return headers[i + 1];
  }
  return undefined;
}

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

/** Reads framing fields strictly: two readings of one message are what request smuggling lives on (RFC 9112 §11.2). */
export function readFramingFields(headers: HeaderList): FramingFields {
  let contentLength = -1;
  let transferEncoding = "";
  let hostCount = 0;
  let expect = "";
  let connection = "";
  for (let i = 0; i < headers.length; i += 2) {
    const value = headers[i + 1] as string;
    switch (framingFieldName(headers[i] as string)) {
      case "content-length":
        contentLength = mergeContentLength(contentLength, value);
        break;
      case "transfer-encoding":
        if (value === "") throw new HttpSyntaxError(400, "Malformed HTTP head: empty Transfer-Encoding");
        transferEncoding = joinList(transferEncoding, value);
        break;
      case "connection":
        connection = joinList(connection, value);
        break;
      case "host":
        checkHost(value);
        hostCount++;
        break;
      case "expect":
        expect = joinList(expect, value.toLowerCase());
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

/** Lower-cases only names as long as one that matters, so that ordinary fields cost a length comparison. */
function framingFieldName(name: string): string {
  switch (name.length) {
    case 4:
    case 6:
    case 10:
    case 14:
    case 17:
      return name.toLowerCase();
    default:
      return "";
  }
}

/** Fields of one name mean their values joined by commas (RFC 9110 §5.2). */
function joinList(seen: string, value: string): string {
  return seen === "" ? value : `${seen},${value}`;
}

function checkHost(value: string): void {
  if (!HOST.test(value)) throw new HttpSyntaxError(400, "Malformed HTTP head: bad Host");
}

/** Takes a repeated Content-Length that says the same, as Pushgateway's HTTP library does, but no list like `5, 5`. */
function mergeContentLength(seen: number, value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new HttpSyntaxError(400, "Malformed HTTP head: Content-Length is not a number");
  const length = Number(value);
  if (seen !== -1 && seen !== length)
    throw new HttpSyntaxError(400, "Malformed HTTP head: two different Content-Lengths");
  return length;
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
    .map((item) => trimBlanks(item, 0, item.length))
    .filter((item) => item !== "");
}

/**
 * Headers describing one connection, which an intermediary must not pass on (RFC 9110 §7.6.1), besides those that the
 * Connection field names. Content-Length and Host are here because each hop writes its own.
 */
const HOP_BY_HOP = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Writes the fields that may pass on to the next hop as header lines, each ending in CRLF. */
export function formatEndToEndHeaders(headers: HeaderList, connectionOptions: readonly string[]): string {
  let lines = "";
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const lowerName = name.toLowerCase();
    if (HOP_BY_HOP.has(lowerName) || connectionOptions.includes(lowerName)) continue;
    lines += `${name}: ${headers[i + 1]}\r\n`;
  }
  return lines;
}
