import type { HeaderFields } from "./header-fields.ts";
import type { OutputBuffer } from "./output-buffer.ts";
/** Header fields to send: name, value, name, value … as byte strings. */
export type HeaderList = readonly string[];

/** Reason phrases of the statuses that we send ourselves; a proxied response brings its own. */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  301: "Moved Permanently",
  307: "Temporary Redirect",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  508: "Loop Detected",
};

export interface ResponseHeadParts {
  readonly status: number;
  /** Undefined: the reason that RFC 9110 gives to the status. */
  readonly reason: string | undefined;
  readonly headers: ResponseHeaders;
  readonly ownLines: string;
}

/** The header fields of a response: our own, which must not hold anything that ends a line, or those of a response that is passed on. */
export type ResponseHeaders =
  | { readonly list: HeaderList; readonly date: string }
  | { readonly passedOn: HeaderFields; readonly connectionOptions: readonly string[] };

/** Adds a whole head with its empty line. `ownLines` describe the connection and the body's framing, each with its CRLF. */
export function addResponseHead(output: OutputBuffer, { status, reason, headers, ownLines }: ResponseHeadParts): void {
  const statusLine = `HTTP/1.1 ${status} ${reason ?? REASONS[status] ?? ""}\r\n`;
  if ("passedOn" in headers) {
    output.addText(statusLine);
    headers.passedOn.copyEndToEnd(output, headers.connectionOptions);
    output.addText(`${ownLines}\r\n`);
    return;
  }
  let text = `${statusLine}Date: ${headers.date}\r\n`;
  for (let i = 0; i < headers.list.length; i += 2) text += `${headers.list[i]}: ${headers.list[i + 1]}\r\n`;
  output.addText(`${text}${ownLines}\r\n`);
}

/** Header fields of a body of plain text; browsers must not take it for anything else. */
export const PLAIN_TEXT: HeaderList = [
  "Content-Type",
  "text/plain; charset=utf-8",
  "X-Content-Type-Options",
  "nosniff",
];
