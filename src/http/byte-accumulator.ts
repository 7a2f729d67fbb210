/**
 * Gathers bytes that arrive in pieces, in one block that doubles. However small the pieces are, gathering n bytes costs
 * O(n): a client that sends a large head byte by byte must not cost more than its bytes.
 */
export class ByteAccumulator {
  #block: Buffer = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(chunk: Buffer): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#block.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#block.length));
      this.#block.copy(grown, 0, 0, this.#length);
      this.#block = grown;
    }
    chunk.copy(this.#block, this.#length);
    this.#length = needed;
  }

  /** The bytes gathered so far: a view that the next append may leave behind. */
  bytes(): Buffer {
    return this.#block.subarray(0, this.#length);
  }
}

const EMPTY = Buffer.alloc(0);
