import {
  type BodyFraming,
  CHUNKED_BODY,
  checkHeadBytes,
  endOfLine,
  type FramingFields,
  type HeaderList,
  HttpSyntaxError,
  isToken,
  NO_BODY,
  parseHeaderLines,
  readFramingFields,
} from "./headers.ts";

/** A parsed request line and its header section. Text is in byte strings: every char code is one byte from the wire. */
export interface RequestHead {
  readonly method: string;
  /** The request target in origin form, untouched: path and query. `*` for `OPTIONS *`. */
  readonly target: string;
  /** HTTP/1.x */
  readonly minorVersion: 0 | 1;
  readonly headers: HeaderList;
  readonly connectionOptions: readonly string[];
  readonly framing: BodyFraming;
  /** Whether the client is ready to send another request on this connection (RFC 9112 §9.3). */
  readonly keepAlive: boolean;
  /** Whether the client waits for a 100 before it sends the body (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean;
}

const HTTP_VERSION = /^HTTP\/(\d)\.(\d)$/;

/**
 * Parses a request head: everything before the empty line, as a byte string.
 * Strict where leniency would let two parsers disagree (RFC 9112 §11.2); throws HttpSyntaxError.
 */
export function parseRequestHead(head: string): RequestHead {
  checkHeadBytes(head);
  const lineEnd = endOfLine(head, 0);
  const targetStart = head.indexOf(" ") + 1;
  const targetEnd = head.indexOf(" ", targetStart);
  const method = head.slice(0, Math.max(0, targetStart - 1));
  // Only blanks end a target: Pushgateway takes raw non-ASCII bytes in it, so we do.
  const target = head.slice(targetStart, targetEnd);
  if (targetEnd > lineEnd || targetEnd <= targetStart || !isToken(method) || target.includes("\t"))
    throw badRequestLine();
  const minorVersion = readMinorVersion(head.slice(targetEnd + 1, lineEnd));
  const headers = parseHeaderLines(head, lineEnd + 2);
  const fields = readFramingFields(headers);
  checkFields(minorVersion, fields);
  return {
    method,
    target: originForm(method, target),
    minorVersion,
    headers,
    connectionOptions: fields.connectionOptions,
    framing: requestFraming(fields.chunked, fields.contentLength),
    keepAlive: keepsAlive(minorVersion, fields.connectionOptions),
    // RFC 9110 §10.1.1: a server ignores the expectation of an HTTP/1.0 client.
    expectsContinue: minorVersion === 1 && fields.expect !== "",
  };
}

function badRequestLine(): HttpSyntaxError {
  return new HttpSyntaxError(400, "Malformed HTTP request line: want METHOD TARGET HTTP/1.1");
}

function readMinorVersion(version: string): 0 | 1 {
  if (version === "HTTP/1.1") return 1;
  const digits = HTTP_VERSION.exec(version);
  if (digits === null) throw badRequestLine();
  if (digits[1] !== "1") throw new HttpSyntaxError(505, "Unsupported HTTP version: want HTTP/1.0 or HTTP/1.1");
  // RFC 9110 §2.5: a higher minor version of 1 is answered as 1.1.
  return digits[2] === "0" ? 0 : 1;
}

function checkFields(minorVersion: 0 | 1, fields: FramingFields): void {
  if (fields.hostCount > 1 || (fields.hostCount === 0 && minorVersion === 1)) {
    throw new HttpSyntaxError(400, `Malformed HTTP head: ${fields.hostCount === 0 ? "missing" : "repeated"} Host`);
  }
  if (fields.chunked && minorVersion === 0) {
    throw new HttpSyntaxError(400, "Malformed HTTP head: Transfer-Encoding in an HTTP/1.0 request");
  }
  if (fields.expect !== "" && fields.expect !== "100-continue") {
    throw new HttpSyntaxError(417, "Unsupported Expect: only 100-continue is understood");
  }
}

function requestFraming(chunked: boolean, contentLength: number): BodyFraming {
  if (chunked) return CHUNKED_BODY;
  return contentLength > 0 ? { kind: "length", length: contentLength } : NO_BODY;
}

/** Whether the peer that sent these fields keeps the connection open after this message (RFC 9112 §9.3). */
export function keepsAlive(minorVersion: 0 | 1, connectionOptions: readonly string[]): boolean {
  if (connectionOptions.includes("close")) return false;
  return minorVersion === 1 || connectionOptions.includes("keep-alive");
}

/** Turns an absolute-form target into origin form without touching a byte of its path (RFC 9112 §3.2.2). */
function originForm(method: string, target: string): string {
  if (target.charCodeAt(0) === SLASH || (target === "*" && method === "OPTIONS")) return target;
  const absolute = /^https?:\/\/[^/?#\\]+(?=[/?#]|$)/i.exec(target);
  if (absolute === null) throw new HttpSyntaxError(400, "Malformed HTTP request line: the target must begin with /");
  const rest = target.slice(absolute[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}

const SLASH = 0x2f;
