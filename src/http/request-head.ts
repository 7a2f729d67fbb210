import { type BodyFraming, CHUNKED_BODY, type FramingFields, NO_BODY, readFramingFields } from "./framing.ts";
import { endOfLine, endOfToken, HeaderFields } from "./header-fields.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";

/** A parsed request line and its header section. Text is in byte strings: every char code is one byte from the wire. */
export interface RequestHead {
  readonly method: string;
  /** The request target in origin form, untouched: path and query. `*` for `OPTIONS *`. */
  readonly target: string;
  /** HTTP/1.x */
  readonly minorVersion: 0 | 1;
  readonly fields: HeaderFields;
  readonly connectionOptions: readonly string[];
  readonly framing: BodyFraming;
  /** Whether the client is ready to send another request on this connection (RFC 9112 §9.3). */
  readonly keepAlive: boolean;
  /** Whether the client waits for a 100 before it sends the body (RFC 9110 §10.1.1). */
  readonly expectsContinue: boolean;
}

/**
 * Parses a request head: the bytes from `start` to `end`, where its empty line begins. They must not change afterwards.
 * Strict where leniency would let two parsers disagree (RFC 9112 §11.2); throws HttpSyntaxError.
 */
export function parseRequestHead(bytes: Buffer, start: number, end: number): RequestHead {
  const lineEnd = endOfLine(bytes, start, end);
  const methodEnd = endOfToken(bytes, start, lineEnd);
  const targetEnd = endOfTarget(bytes, methodEnd + 1, lineEnd);
  if (methodEnd === start || bytes[methodEnd] !== SPACE || targetEnd <= methodEnd + 1 || bytes[targetEnd] !== SPACE) {
    throw badRequestLine();
  }
  const method = readMethod(bytes, start, methodEnd);
  const minorVersion = readMinorVersion(bytes, targetEnd + 1, lineEnd);
  const fields = HeaderFields.parse(bytes, lineEnd + 2, end);
  const framing = readFramingFields(fields);
  checkFields(minorVersion, framing);
  return {
    method,
    target: originForm(method, bytes.toString("latin1", methodEnd + 1, targetEnd)),
    minorVersion,
    fields,
    connectionOptions: framing.connectionOptions,
    framing: requestFraming(framing.chunked, framing.contentLength),
    keepAlive: keepsAlive(minorVersion, framing.connectionOptions),
    // RFC 9110 §10.1.1: a server ignores the expectation of an HTTP/1.0 client.
    expectsContinue: minorVersion === 1 && framing.expect !== "",
  };
}

/** Only blanks end a target: Pushgateway takes raw non-ASCII bytes in it, so we do. */
function endOfTarget(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (bytes[at] as number) > SPACE) at++;
  return at;
}

function badRequestLine(): HttpSyntaxError {
  return new HttpSyntaxError(400, "Malformed HTTP request line: want METHOD TARGET HTTP/1.1");
}

/** A string for each of the methods that clients push with costs nothing; any other has to be made. */
function readMethod(bytes: Buffer, start: number, end: number): string {
  for (const method of PUSH_METHODS) {
    if (stands(method.bytes, bytes, start, end)) return method.name;
  }
  return bytes.toString("latin1", start, end);
}

const PUSH_METHODS = ["PUT", "POST", "DELETE"].map((name) => ({ name, bytes: Buffer.from(name) }));

function readMinorVersion(bytes: Buffer, start: number, end: number): 0 | 1 {
  const major = bytes[start + 5] as number;
  const minor = bytes[start + 7] as number;
  const isVersion = end - start === 8 && stands(HTTP, bytes, start, start + 5) && bytes[start + 6] === DOT;
  if (!isVersion || !isDigit(major) || !isDigit(minor)) throw badRequestLine();
  if (major !== ONE) throw new HttpSyntaxError(505, "Unsupported HTTP version: want HTTP/1.0 or HTTP/1.1");
  // RFC 9110 §2.5: a higher minor version of 1 is answered as 1.1.
  return minor === ZERO ? 0 : 1;
}

const HTTP = Buffer.from("HTTP/");

/** Whether just these bytes stand there. A loop, because so few are compared faster than a native function is called. */
function stands(expected: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== expected.length) return false;
  for (let i = 0; i < expected.length; i++) {
    if (bytes[start + i] !== expected[i]) return false;
  }
  return true;
}

function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE;
}

const SPACE = 0x20;
const DOT = 0x2e;
const ZERO = 0x30;
const ONE = 0x31;
const NINE = 0x39;

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
