import { ByteAccumulator } from "./byte-accumulator.ts";
import { HttpSyntaxError } from "./headers.ts";

/** A message head and what came behind it. */
export interface ReadHead {
  /** Everything before the empty line, as a byte string. */
  readonly head: string;
  /** The bytes from the socket that hold the first byte behind the head, at `offset`. */
  readonly data: Buffer;
  readonly offset: number;
}

/** Cuts message heads from a stream of bytes. Holds at most `maxBytes` and one piece of what the socket gives. */
export class HeadReader {
  readonly #maxBytes: number;
  #gathered: ByteAccumulator | undefined;
  #searched = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether part of a head has been read. */
  get started(): boolean {
    return this.#gathered !== undefined;
  }

  /** Returns the head once it is whole. Throws HttpSyntaxError 431 when it is longer than allowed. */
  read(chunk: Buffer): ReadHead | undefined {
    const data = this.#gather(chunk);
    const start = skipEmptyLines(data);
    const end = data.indexOf("\r\n\r\n", Math.max(start, this.#searched), "latin1");
    if (end === -1) {
      this.#keep(data, start);
      return undefined;
    }
    this.#checkLength(end - start);
    this.#gathered = undefined;
    this.#searched = 0;
    return { head: data.toString("latin1", start, end), data, offset: end + 4 };
  }

  #gather(chunk: Buffer): Buffer {
    if (this.#gathered === undefined) return chunk;
    this.#gathered.append(chunk);
    return this.#gathered.bytes();
  }

  #keep(data: Buffer, start: number): void {
    this.#checkLength(data.length - start);
    // A head whose lines end in a bare LF would never be seen to end.
    const unsearched = Math.max(start, this.#searched);
    if (data.indexOf("\n\n", unsearched, "latin1") !== -1) {
      throw new HttpSyntaxError(400, "Malformed HTTP head: line does not end in CRLF");
    }
    if (this.#gathered === undefined && start < data.length) {
      this.#gathered = new ByteAccumulator();
      this.#gathered.append(data);
    }
    this.#searched = Math.max(0, data.length - 3);
  }

  #checkLength(length: number): void {
    if (length > this.#maxBytes) {
      throw new HttpSyntaxError(431, `Message head too large: more than ${this.#maxBytes} bytes`);
    }
  }
}

/** RFC 9112 §2.2: a server ignores empty lines before a request line; old clients send one behind a body. */
function skipEmptyLines(data: Buffer): number {
  let start = 0;
  while (start < 4 && data[start] === 0x0d && data[start + 1] === 0x0a) start += 2;
  return start;
}
