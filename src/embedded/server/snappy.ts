import { ByteAccumulator } from "../../http/byte-accumulator.ts";
import { BodyTooLargeError } from "./body-too-large-error.ts";
import { crc32c } from "./crc32c.ts";

/** Bytes that are not a snappy stream. The message is that of Go's snappy package, which Pushgateway passes on. */
export class SnappyError extends Error {
  override readonly name = "SnappyError";
}

const CORRUPT = "snappy: corrupt input";

const COMPRESSED_CHUNK = 0x00;
const PLAIN_CHUNK = 0x01;
const FIRST_SKIPPABLE_CHUNK = 0x80;
const STREAM_IDENTIFIER_CHUNK = 0xff;
const STREAM_IDENTIFIER = "sNaPpY";
const CHUNK_HEAD_BYTES = 4;
const CHECKSUM_BYTES = 4;
/** Longest content of a chunk, uncompressed, and the longest chunk that Go's package reads. */
const MAX_CHUNK_BYTES = 65_536;
const MAX_ENCODED_BYTES = 76_494;

/**
 * Decodes snappy's framing format (github.com/google/snappy, framing_format.txt), checksums included. Our own, since both formats
 * are small and have been still since 2013: of npm's packages, snappyjs decodes blocks only, and snappystream brings native
 * code for each platform.
 *
 * @throws SnappyError, and BodyTooLargeError beyond `maxBytes`.
 */
export function decodeSnappy(stream: Buffer, maxBytes: number): Buffer {
  const output = new ByteAccumulator();
  for (let at = 0; at < stream.length; ) {
    const chunk = readChunk(stream, at);
    const decoded = decodeChunk(chunk);
    if (output.length + decoded.length > maxBytes) throw new BodyTooLargeError(maxBytes);
    output.append(decoded);
    at = chunk.end;
  }
  return output.bytes();
}

interface Chunk {
  readonly kind: number;
  readonly content: Buffer;
  readonly end: number;
}

function readChunk(stream: Buffer, at: number): Chunk {
  const start = at + CHUNK_HEAD_BYTES;
  if (start > stream.length) throw new SnappyError(CORRUPT);
  const kind = stream.readUInt8(at);
  if (at === 0 && kind !== STREAM_IDENTIFIER_CHUNK) throw new SnappyError(CORRUPT);
  const length = stream.readUIntLE(at + 1, 3);
  const isUnknown = kind > PLAIN_CHUNK && kind < FIRST_SKIPPABLE_CHUNK;
  if (isUnknown || length > MAX_ENCODED_BYTES) throw new SnappyError("snappy: unsupported input");
  if (start + length > stream.length) throw new SnappyError(CORRUPT);
  return { kind, content: stream.subarray(start, start + length), end: start + length };
}

function decodeChunk({ kind, content }: Chunk): Buffer {
  switch (kind) {
    case COMPRESSED_CHUNK:
      return checkedChunk(content, decodeBlock);
    case PLAIN_CHUNK:
      return checkedChunk(content, (data) => data);
    case STREAM_IDENTIFIER_CHUNK:
      if (content.toString("latin1") !== STREAM_IDENTIFIER) throw new SnappyError(CORRUPT);
      return NOTHING;
    default:
      return NOTHING;
  }
}

function checkedChunk(content: Buffer, decode: (data: Buffer) => Buffer): Buffer {
  if (content.length < CHECKSUM_BYTES) throw new SnappyError(CORRUPT);
  const decoded = decode(content.subarray(CHECKSUM_BYTES));
  if (decoded.length > MAX_CHUNK_BYTES || maskedChecksum(decoded) !== content.readUInt32LE(0)) {
    throw new SnappyError(CORRUPT);
  }
  return decoded;
}

/** Rotated and offset, since the checksum of data that holds checksums is a weak one. */
function maskedChecksum(bytes: Buffer): number {
  const checksum = crc32c(bytes);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}

/** Decodes one block (format_description.txt): its length, then literals and copies of what came before. */
function decodeBlock(block: Buffer): Buffer {
  const { length, end } = readLength(block);
  const output = Buffer.allocUnsafe(length);
  let from = end;
  let to = 0;
  while (from < block.length) {
    const tag = block[from] as number;
    const element = (tag & 3) === 0 ? readLiteral(block, from) : readCopy(block, from);
    const isWithin = to + element.length <= length && element.end <= block.length;
    if (!isWithin || element.offset > to || element.offset === 0) throw new SnappyError(CORRUPT);
    if ((tag & 3) === 0) block.copy(output, to, element.end - element.length, element.end);
    else repeat(output, to, element.offset, element.length);
    to += element.length;
    from = element.end;
  }
  if (to !== length) throw new SnappyError(CORRUPT);
  return output;
}

/** A varint, which may have zeros to no purpose. Nothing longer than a chunk may be is made room for. */
function readLength(block: Buffer): { readonly length: number; readonly end: number } {
  let length = 0;
  for (let i = 0; i < 10; i++) {
    const byte = block[i];
    if (byte === undefined) break;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80 && length <= MAX_CHUNK_BYTES) return { length, end: i + 1 };
  }
  throw new SnappyError(CORRUPT);
}

/** How many bytes an element stands for, how far back they begin, and where the next element does. */
interface BlockElement {
  readonly length: number;
  readonly offset: number;
  readonly end: number;
}

/** Bytes that follow as they are. Their offset, of which there is none, is one that is always allowed. */
function readLiteral(block: Buffer, at: number): BlockElement {
  const code = (block[at] as number) >> 2;
  const lengthBytes = code < 60 ? 0 : code - 59;
  if (at + 1 + lengthBytes > block.length) throw new SnappyError(CORRUPT);
  const length = 1 + (lengthBytes === 0 ? code : block.readUIntLE(at + 1, lengthBytes));
  return { length, offset: Number.NEGATIVE_INFINITY, end: at + 1 + lengthBytes + length };
}

function readCopy(block: Buffer, at: number): BlockElement {
  const tag = block[at] as number;
  const offsetBytes = (tag & 3) === 3 ? 4 : tag & 3;
  if (at + 1 + offsetBytes > block.length) throw new SnappyError(CORRUPT);
  const low = block.readUIntLE(at + 1, offsetBytes);
  if (offsetBytes > 1) return { length: 1 + (tag >> 2), offset: low, end: at + 1 + offsetBytes };
  return { length: 4 + ((tag >> 2) & 7), offset: ((tag & 0xe0) << 3) | low, end: at + 2 };
}

/** Byte by byte: a copy may reach into what it writes. */
function repeat(output: Buffer, to: number, offset: number, length: number): void {
  for (let i = to; i < to + length; i++) output[i] = output[i - offset] as number;
}

const NOTHING = Buffer.alloc(0);
