import { gunzip, gunzipSync } from "node:zlib";
import { BodyTooLargeError } from "./body-too-large-error.ts";
import { decodeSnappy, SnappyError } from "./snappy.ts";

/** A body that is not what its Content-Encoding says. The message is Pushgateway's. */
export class ContentEncodingError extends Error {
  override readonly name = "ContentEncodingError";
}

/** Up to so many bytes of gzip are decoded at once; more take another thread, while other pushes go on. */
const MAX_SYNC_BYTES = 16_384;

/**
 * The body without its Content-Encoding, gzip or snappy; any other is ignored, as Pushgateway does. At once where that is
 * quick.
 *
 * @throws ContentEncodingError, and BodyTooLargeError beyond `maxBytes`; or rejects with them.
 */
export function decodeContent(
  body: Buffer,
  contentEncoding: string | undefined,
  maxBytes: number,
): Buffer | Promise<Buffer> {
  switch (contentEncoding?.toLowerCase()) {
    case "gzip":
      return decodeGzip(body, maxBytes);
    case "snappy":
      try {
        return decodeSnappy(body, maxBytes);
      } catch (error) {
        throw error instanceof SnappyError ? new ContentEncodingError(error.message) : error;
      }
    default:
      return body;
  }
}

function decodeGzip(body: Buffer, maxBytes: number): Buffer | Promise<Buffer> {
  if (body.length === 0) throw new ContentEncodingError("EOF");
  const options = { maxOutputLength: maxBytes };
  if (body.length > MAX_SYNC_BYTES) {
    return new Promise((resolve, reject) => {
      gunzip(body, options, (error, decoded) =>
        error === null ? resolve(decoded) : reject(gzipError(error, maxBytes)),
      );
    });
  }
  try {
    return gunzipSync(body, options);
  } catch (error) {
    throw gzipError(error as Error, maxBytes);
  }
}

/** Go's words for what zlib found. */
function gzipError(error: Error, maxBytes: number): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_BUFFER_TOO_LARGE") return new BodyTooLargeError(maxBytes);
  if (code === "Z_BUF_ERROR") return new ContentEncodingError("unexpected EOF");
  if (error.message === "incorrect header check") return new ContentEncodingError("gzip: invalid header");
  if (error.message === "incorrect data check") return new ContentEncodingError("gzip: invalid checksum");
  return new ContentEncodingError(`gzip: ${error.message}`);
}
