import type { ByteString } from "../sharding/byte-string.ts";

/** A longer run of bytes is not copied. */
const MAX_COPIED_BYTES = 4_096;
const BLOCK_BYTES = 65_536;

/**
 * Puts a long body together from byte strings and runs of bytes. Runs that follow each other in the same bytes are one; long
 * ones are kept as they are, short ones copied into blocks.
 */
export class OutputPieces {
  readonly #pieces: Buffer[] = [];
  #length = 0;
  #run: Buffer = EMPTY;
  #runStart = 0;
  #runEnd = 0;
  #block: Buffer = EMPTY;
  #blockStart = 0;
  #blockEnd = 0;

  get length(): number {
    return this.#length;
  }

  addText(text: ByteString): void {
    this.#endRun();
    this.#length += text.length;
    if (text.length > MAX_COPIED_BYTES) {
      this.#addPiece(Buffer.from(text, "latin1"));
      return;
    }
    this.#reserve(text.length);
    this.#blockEnd += this.#block.write(text, this.#blockEnd, "latin1");
  }

  addBytes(bytes: Buffer, start: number, end: number): void {
    this.#length += end - start;
    if (bytes !== this.#run || start !== this.#runEnd) {
      this.#endRun();
      this.#run = bytes;
      this.#runStart = start;
    }
    this.#runEnd = end;
  }

  /** All of it. Nothing can be added afterwards. */
  finish(): readonly Buffer[] {
    this.#endRun();
    this.#endBlock();
    return this.#pieces;
  }

  #endRun(): void {
    const [run, start, end] = [this.#run, this.#runStart, this.#runEnd];
    this.#runStart = end;
    if (end - start > MAX_COPIED_BYTES) {
      this.#addPiece(run.subarray(start, end));
      return;
    }
    this.#reserve(end - start);
    this.#blockEnd += run.copy(this.#block, this.#blockEnd, start, end);
  }

  #addPiece(piece: Buffer): void {
    this.#endBlock();
    this.#pieces.push(piece);
  }

  #endBlock(): void {
    if (this.#blockEnd > this.#blockStart) this.#pieces.push(this.#block.subarray(this.#blockStart, this.#blockEnd));
    this.#blockStart = this.#blockEnd;
  }

  #reserve(length: number): void {
    if (this.#blockEnd + length <= this.#block.length) return;
    this.#endBlock();
    this.#block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    this.#blockStart = 0;
    this.#blockEnd = 0;
  }
}

const EMPTY = Buffer.alloc(0);
