import {
  type BodyFraming,
  CHUNKED_BODY,
  checkHeadBytes,
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

// The target is any run of bytes but blanks: Pushgateway takes raw non-ASCII bytes in it, so we do.
const REQUEST_LINE = /^([^ ]+) ([^ ]+) HTTP\/(\d)\.(\d)$/;

/**
 * Parses a request head: everything before the empty line, as a byte string.
 * Strict where leniency would let two parsers disagree (RFC 9112 §11.2); throws HttpSyntaxError.
 */
export function parseRequestHead(head: string): RequestHead {
  checkHeadBytes(head);
  let lineEnd = head.indexOf("\r\n");
  if (lineEnd === -1) lineEnd = head.length;
  const line = REQUEST_LINE.exec(head.slice(0, lineEnd));
  if (line === null || !isToken(line[1] as string)) {
    throw new HttpSyntaxError(400, "Malformed HTTP request line: want METHOD TARGET HTTP/1.1");
  }
  const [, method, target, major, minor] = line as unknown as [string, string, string, string, string];
  const minorVersion = readMinorVersion(major, minor);
  const headers = parseHeaderLines(head, lineEnd + 2);
  const fields = readFramingFields(headers);
  if (minorVersion === 1 && fields.hostCount !== 1) {
    throw new HttpSyntaxError(400, `Malformed HTTP head: ${fields.hostCount === 0 ? "missing" : "repeated"} Host`);
  }
  if (minorVersion === 0 && fields.chunked) {
    throw new HttpSyntaxError(400, "Malformed HTTP head: Transfer-Encoding in an HTTP/1.0 request");
  }
  if (fields.expect !== "" && fields.expect !== "100-continue") {
    throw new HttpSyntaxError(417, "Unsupported Expect: only 100-continue is understood");
  }
  return {
    method,
    target: originForm(target),
    minorVersion,
    headers,
    connectionOptions: fields.connectionOptions,
    framing: requestFraming(fields.chunked, fields.contentLength),
    keepAlive: keepsAlive(minorVersion, fields.connectionOptions),
    // RFC 9110 §10.1.1: a server ignores the expectation of an HTTP/1.0 client.
    expectsContinue: minorVersion === 1 && fields.expect !== "",
  };
}

function readMinorVersion(major: string, minor: string): 0 | 1 {
  // RFC 9110 §2.5: a higher minor version of 1 is answered as 1.1.
  if (major !== "1") throw new HttpSyntaxError(505, "Unsupported HTTP version: want HTTP/1.0 or HTTP/1.1");
  return minor === "0" ? 0 : 1;
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
function originForm(target: string): string {
  if (target.charCodeAt(0) === 0x2f || target === "*") return target;
  const absolute = /^https?:\/\/[^/?#]*/i.exec(target);
  if (absolute === null) throw new HttpSyntaxError(400, "Malformed HTTP request line: the target must begin with /");
  const rest = target.slice(absolute[0].length);
  return rest.startsWith("/") ? rest : `/${rest}`;
}
