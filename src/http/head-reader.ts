import { ByteAccumulator } from "./byte-accumulator.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";

/** A message head and what came behind it. */
export interface ReadHead {
  /** Holds the head, from `start` to `end`, and whatever came behind it, from `offset`. Nothing writes to it any more. */
  readonly data: Buffer;
  readonly start: number;
  /** Where the empty line begins that ends the head. */
  readonly end: number;
  readonly offset: number;
}

/**
 * Cuts message heads from a stream of bytes, however they are split up. Holds at most `maxBytes` and one piece of what the
 * socket gives.
 */
export class HeadReader {
  readonly #maxBytes: number;
  #gathered: ByteAccumulator | undefined;
  /** No empty line begins before this offset of what was gathered. */
  #searched = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether part of a head has been read. */
  get started(): boolean {
    return this.#gathered !== undefined;
  }

  /** Returns the head once it is whole. Throws HttpSyntaxError 431 when it is longer than allowed, the empty line not counted. */
  read(chunk: Buffer): ReadHead | undefined {
    const data = this.#gather(chunk);
    const start = endOfEmptyLines(data);
    const end = data.indexOf(EMPTY_LINE, Math.max(start, this.#searched));
    if (end === -1) {
      this.#keep(data, start);
      return undefined;
    }
    this.#checkLength(end - start);
    this.#forget();
    return { data, start, end, offset: end + EMPTY_LINE.length };
  }

  #gather(chunk: Buffer): Buffer {
    if (this.#gathered === undefined) return chunk;
    this.#gathered.append(chunk);
    return this.#gathered.bytes();
  }

  #keep(data: Buffer, start: number): void {
    if (start === data.length) {
      this.#forget();
      return;
    }
    // What is at hand may end with all of the empty line but its last byte, which does not count.
    this.#checkLength(data.length - start - (EMPTY_LINE.length - 1));
    // A head whose lines end in a bare LF would never be seen to end.
    if (hasBareLf(data, Math.max(start, this.#searched))) {
      throw new HttpSyntaxError(400, "Malformed HTTP head: line does not end in CRLF");
    }
    if (this.#gathered === undefined || start > 0) {
      this.#gathered = new ByteAccumulator();
      this.#gathered.append(data.subarray(start));
    }
    this.#searched = Math.max(0, this.#gathered.length - (EMPTY_LINE.length - 1));
  }

  #forget(): void {
    this.#gathered = undefined;
    this.#searched = 0;
  }

  #checkLength(length: number): void {
    if (length > this.#maxBytes) {
      throw new HttpSyntaxError(431, `Message head too large: more than ${this.#maxBytes} bytes`);
    }
  }
}

const EMPTY_LINE = Buffer.from("\r\n\r\n");
const CR = 0x0d;
const LF = 0x0a;

/** RFC 9112 §2.2: a server ignores empty lines before a request line; old clients send one behind a body. */
function endOfEmptyLines(data: Buffer): number {
  let start = 0;
  while (data[start] === CR && data[start + 1] === LF) start += 2;
  return start;
}

function hasBareLf(data: Buffer, from: number): boolean {
  for (let at = data.indexOf(LF, from); at !== -1; at = data.indexOf(LF, at + 1)) {
    if (data[at - 1] !== CR) return true;
  }
  return false;
}
