import { DelimitedLengths } from "../exposition/delimited-lengths.ts";
import { isDelimitedProtobuf, parseMediaType } from "../exposition/media-type.ts";
import type { RequestHead } from "../http/request-head.ts";

/** What saves reading the Content-Type of most pushes. */
const PROTOBUF = /application\/vnd\.google\.protobuf/i;
/** The encodings that Pushgateway takes off; it ignores others. */
const ENCODED = /^(?:gzip|snappy)$/i;

/**
 * Whether Pushgateway will read the body as delimited protobuf: if so, what to follow its lengths with, or `encoded` where they
 * cannot be seen.
 */
export function delimitedBodyOf({ method, fields, framing }: RequestHead): DelimitedLengths | "encoded" | undefined {
  const contentType = fields.get("content-type");
  if (contentType === undefined || !PROTOBUF.test(contentType)) return undefined;
  if (method === "DELETE" || isSurelyOther(contentType)) return undefined;
  if (ENCODED.test(fields.get("content-encoding") ?? "")) return "encoded";
  return new DelimitedLengths(framing.kind === "length" ? framing.length : undefined);
}

/** Go also reads blanks before and after `=`, and an asterisk in a name of RFC 2231: better to look in vain than not at all. */
function isSurelyOther(contentType: string): boolean {
  const mediaType = parseMediaType(contentType);
  return mediaType !== undefined && !contentType.includes("*") && !isDelimitedProtobuf(mediaType);
}
