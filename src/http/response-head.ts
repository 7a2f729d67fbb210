import {
  BODY_UNTIL_CLOSE,
  type BodyFraming,
  CHUNKED_BODY,
  checkHeadBytes,
  endOfLine,
  type FramingFields,
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
  const lineEnd = endOfLine(head, 0);
  const line = STATUS_LINE.exec(head.slice(0, lineEnd));
  if (line === null) throw new HttpSyntaxError(502, "Malformed HTTP status line");
  const status = Number(line[2]);
  const minorVersion = line[1] === "0" ? 0 : 1;
  const headers = parseHeaderLines(head, lineEnd + 2);
  const fields = readFramingFields(headers);
  if (fields.chunked && minorVersion === 0) {
    throw new HttpSyntaxError(502, "Malformed HTTP head: Transfer-Encoding in an HTTP/1.0 response");
  }
  const framing = responseFraming(method, status, fields);
  const keepAlive =
    framing.kind !== "until-close" &&
    keepsAlive(minorVersion, fields.connectionOptions) &&
    !announcesForbiddenBody(status, fields);
  return { status, reason: line[3] ?? "", headers, connectionOptions: fields.connectionOptions, framing, keepAlive };
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
