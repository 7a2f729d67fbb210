import { createGunzip, gunzipSync } from "node:zlib";
import { ByteAccumulator } from "../../http/byte-accumulator.ts";
import { BodyTooLargeError } from "./body-too-large-error.ts";
import { decodeSnappy, SnappyError } from "./snappy.ts";
import { NoBodyMemoryError } from "./whole-body.ts";

/** A body that is not what its Content-Encoding says. The message is Pushgateway's. */
export class ContentEncodingError extends Error {
  override readonly name = "ContentEncodingError";
}

/** Up to so many bytes of gzip are decoded at once; more take another thread, while other pushes go on. */
const MAX_SYNC_BYTES = 16_384;

/** So much is decoded between two looks at the limits. */
const PIECE_BYTES = 131_072;

export interface DecodingLimits {
  readonly maxBytes: number;
  /** Counts memory for what is decoded while other bodies are; false when there is none. */
  readonly takeMemory: (bytes: number) => boolean;
}

/**
 * The body without its Content-Encoding, gzip or snappy; any other is ignored, as Pushgateway does. At once where that is
 * quick.
 *
 * @throws ContentEncodingError, BodyTooLargeError beyond `maxBytes`, and NoBodyMemoryError; or rejects with them.
 */
export function decodeContent(
  body: Buffer,
  contentEncoding: string | undefined,
  limits: DecodingLimits,
): Buffer | Promise<Buffer> {
  switch (contentEncoding?.toLowerCase()) {
    case "gzip":
      return decodeGzip(body, limits);
    case "snappy":
      try {
        return decodeSnappy(body, limits.maxBytes);
      } catch (error) {
        throw error instanceof SnappyError ? new ContentEncodingError(error.message) : error;
      }
    default:
      return body;
  }
}

function decodeGzip(body: Buffer, limits: DecodingLimits): Buffer | Promise<Buffer> {
  if (body.length === 0) throw new ContentEncodingError("EOF");
  if (body.length > MAX_SYNC_BYTES) return gunzip(body, limits);
  try {
    return gunzipSync(body, { maxOutputLength: limits.maxBytes });
  } catch (error) {
    throw gzipError(error as Error, limits.maxBytes);
  }
}

async function gunzip(body: Buffer, { maxBytes, takeMemory }: DecodingLimits): Promise<Buffer> {
  const pieces = createGunzip({ chunkSize: PIECE_BYTES });
  const decoded = new ByteAccumulator();
  pieces.end(body);
  try {
    for await (const piece of pieces as AsyncIterable<Buffer>) {
      if (decoded.length + piece.length > maxBytes) throw new BodyTooLargeError(maxBytes);
      if (!takeMemory(piece.length)) throw new NoBodyMemoryError();
      decoded.append(piece);
    }
  } catch (error) {
    throw gzipError(error as Error, maxBytes);
  }
  return decoded.bytes();
}

/** Go's words for what zlib found. */
function gzipError(error: Error, maxBytes: number): Error {
  if (error instanceof BodyTooLargeError || error instanceof NoBodyMemoryError) return error;
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_BUFFER_TOO_LARGE") return new BodyTooLargeError(maxBytes);
  if (code === "Z_BUF_ERROR") return new ContentEncodingError("unexpected EOF");
  if (error.message === "incorrect header check") return new ContentEncodingError("gzip: invalid header");
  if (error.message === "incorrect data check") return new ContentEncodingError("gzip: invalid checksum");
  return new ContentEncodingError(`gzip: ${error.message}`);
}
