import {
  BODY_UNTIL_CLOSE,
  type BodyFraming,
  CHUNKED_BODY,
  type FramingFields,
  NO_BODY,
  readFramingFields,
} from "./framing.ts";
import { endOfLine, HeaderFields } from "./header-fields.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import { keepsAlive } from "./request-head.ts";

/** A parsed status line and its header section. */
export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly fields: HeaderFields;
  readonly connectionOptions: readonly string[];
  readonly framing: BodyFraming;
  /** Whether the connection can carry another request once the body has been read. */
  readonly keepAlive: boolean;
}

// No blank is wanted behind a status without a reason: some servers leave it out.
const STATUS_LINE = /^HTTP\/1\.\d [1-9]\d\d(?: |$)/;

/**
 * Parses a response head: the bytes from `start` to `end`, where its empty line begins. They must not change afterwards.
 * `method` is that of the request, because it decides whether a body follows (RFC 9112 §6.3). Throws HttpSyntaxError with
 * status 502.
 */
export function parseResponseHead(bytes: Buffer, start: number, end: number, method: string): ResponseHead {
  try {
    return parse(bytes, start, end, method);
  } catch (error) {
    if (error instanceof HttpSyntaxError) throw new HttpSyntaxError(502, error.message);
    throw error;
  }
}

function parse(bytes: Buffer, start: number, end: number, method: string): ResponseHead {
  const lineEnd = endOfLine(bytes, start, end);
  const line = bytes.toString("latin1", start, lineEnd);
  if (!STATUS_LINE.test(line)) throw new HttpSyntaxError(502, "Malformed HTTP status line");
  const status = Number(line.slice(9, 12));
  const minorVersion = line[7] === "0" ? 0 : 1;
  const fields = HeaderFields.parse(bytes, lineEnd + 2, end);
  const framingFields = readFramingFields(fields);
  const { chunked, connectionOptions } = framingFields;
  if (chunked && minorVersion === 0) {
    throw new HttpSyntaxError(502, "Malformed HTTP head: Transfer-Encoding in an HTTP/1.0 response");
  }
  const framing = responseFraming(method, status, framingFields);
  const keepAlive =
    framing.kind !== "until-close" &&
    keepsAlive(minorVersion, connectionOptions) &&
    !announcesForbiddenBody(status, framingFields);
  return { status, reason: line.slice(13), fields, connectionOptions, framing, keepAlive };
}

function responseFraming(method: string, status: number, fields: FramingFields): BodyFraming {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return NO_BODY;
  if (fields.chunked) return CHUNKED_BODY;
  if (fields.contentLength === -1) return BODY_UNTIL_CLOSE;
  return fields.contentLength > 0 ? { kind: "length", length: fields.contentLength } : NO_BODY;
}

/** A server that announces a body where none can be may well send it, and what follows would not be the next response. */
function announcesForbiddenBody(status: number, fields: FramingFields): boolean {
  return (status < 200 || status === 204) && (fields.chunked || fields.contentLength > 0);
}
