const INITIAL_BYTES = 16_384;
/** A buffer that has grown beyond this for one long message is not kept for the next. */
const MAX_KEPT_BYTES = 2_097_152;

/**
 * Bytes of a message on their way to a socket. One buffer serves a whole server: a message is put together and handed to the
 * kernel in one go, so that sending costs no memory of its own.
 */
export class OutputBuffer {
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  /** What was put in since `clear`: a view that the next message overwrites. */
  view(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  clear(): void {
    this.#length = 0;
    if (this.#bytes.length > MAX_KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  }

  /** Adds a byte string: every char code is one byte. */
  addText(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#bytes.write(text, this.#length, "latin1");
  }

  addBytes(source: Buffer, start = 0, end = source.length): void {
    this.#reserve(end - start);
    this.#length += source.copy(this.#bytes, this.#length, start, end);
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
