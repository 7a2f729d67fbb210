import {
  BODY_UNTIL_CLOSE,
  type BodyFraming,
  CHUNKED_BODY,
  checkHeadBytes,
  type HeaderList,
  HttpSyntaxError,
  NO_BODY,
  parseHeaderLines,
  readFramingFields,
} from "./headers.ts";
import { keepsAlive } from "./request-head.ts";

/** A parsed status line and its header section. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderList;
  readonly connectionOptions: readonly string[];
  readonly framing: BodyFraming;
  /** Whether the connection can carry another request once the body has been read. */
  readonly keepAlive: boolean;
}

const STATUS_LINE = /^HTTP\/1\.(\d) ([1-9]\d\d)(?: (.*))?$/;

/**
 * Parses a response head: everything before the empty line, as a byte string. `method` is that of the request, because it
 * decides whether a body follows (RFC 9112 §6.3). Throws HttpSyntaxError with status 502.
 */
export function parseResponseHead(head: string, method: string): ResponseHead {
  try {
    return parse(head, method);
  } catch (error) {
    if (error instanceof HttpSyntaxError) throw new HttpSyntaxError(502, error.message);
    throw error;
  }
}

function parse(head: string, method: string): ResponseHead {
  checkHeadBytes(head);
  let lineEnd = head.indexOf("\r\n");
  if (lineEnd === -1) lineEnd = head.length;
  const line = STATUS_LINE.exec(head.slice(0, lineEnd));
  if (line === null) throw new HttpSyntaxError(502, "Malformed HTTP status line");
  const status = Number(line[2]);
  const headers = parseHeaderLines(head, lineEnd + 2);
  const fields = readFramingFields(headers);
  const framing = responseFraming(method, status, fields.chunked, fields.contentLength);
  return {
    status,
    reason: line[3] ?? "",
    headers,
    connectionOptions: fields.connectionOptions,
    framing,
    keepAlive: framing.kind !== "until-close" && keepsAlive(line[1] === "0" ? 0 : 1, fields.connectionOptions),
  };
}

function responseFraming(method: string, status: number, chunked: boolean, contentLength: number): BodyFraming {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return NO_BODY;
  if (chunked) return CHUNKED_BODY;
  if (contentLength === -1) return BODY_UNTIL_CLOSE;
  return contentLength > 0 ? { kind: "length", length: contentLength } : NO_BODY;
}
