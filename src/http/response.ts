import type { HeaderList } from "./headers.ts";

/** Reason phrases of the statuses that we send ourselves; a proxied response brings its own. */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  202: "Accepted",
  307: "Temporary Redirect",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
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
  readonly reason?: string | undefined;
  readonly headers?: HeaderList;
  /** Header lines that are already formatted, each ending in CRLF. */
  readonly headerLines?: string;
  /** Value of the Connection header, if one is sent. */
  readonly connection?: "close" | "keep-alive" | undefined;
}

/** Formats a status line and header section, with the empty line, as a byte string. */
export function formatResponseHead(status: number, parts: ResponseHeadParts): string {
  let text = `HTTP/1.1 ${status} ${parts.reason ?? REASONS[status] ?? ""}\r\n`;
  const headers = parts.headers ?? [];
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  if (parts.headerLines !== undefined) text += parts.headerLines;
  if (parts.connection !== undefined) text += `Connection: ${parts.connection}\r\n`;
  return `${text}\r\n`;
}

/** A text body and the headers that describe it. */
export function plainTextBody(text: string): { readonly text: string; readonly headers: HeaderList } {
  return {
    text,
    headers: [
      "Content-Type",
      "text/plain; charset=utf-8",
      "X-Content-Type-Options",
      "nosniff",
      "Content-Length",
      String(Buffer.byteLength(text)),
    ],
  };
}
