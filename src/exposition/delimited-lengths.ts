/** Of a body whose own length is unknown, no message may claim more: room enough for a million series. */
const MAX_CLAIM_BYTES = 268_435_456;
/** So long is a varint of 64 bits at most. */
const MAX_VARINT_BYTES = 10;

/**
 * Follows the lengths that stand before the messages of a body in delimited protobuf while the body passes, and finds those that
 * the body does not hold. A Pushgateway allocates what a length claims before it reads on, and dies of six bytes that claim 34
 * GB. What else may be wrong with a body is left to whoever reads it.
 */
export class DelimitedLengths {
  /** Of the body, not yet seen; Infinity when its length is unknown. */
  #left: number;
  /** Of the message at hand, not yet seen. */
  #open = 0;
  #claim = 0;
  #varintBytes = 0;
  #problem: string | undefined;

  /** `bodyBytes`: undefined when it is not known beforehand. */
  constructor(bodyBytes: number | undefined) {
    this.#left = bodyBytes ?? Number.POSITIVE_INFINITY;
  }

  /** Takes the next piece of the body. Returns what is wrong with it, from then on with every piece. */
  take(piece: Uint8Array): string | undefined {
    let at = 0;
    while (at < piece.length && this.#problem === undefined) {
      const skipped = Math.min(this.#open, piece.length - at);
      this.#open -= skipped;
      this.#left -= skipped;
      at += skipped;
      if (at < piece.length) this.#readVarint(piece[at++] as number);
    }
    return this.#problem;
  }

  /** The body has ended. Returns what is wrong with it as a whole. */
  end(): string | undefined {
    if (this.#problem === undefined && this.#open > 0) this.#problem = describe(this.#claim, "the body ends within it");
    return this.#problem;
  }

  #readVarint(byte: number): void {
    this.#left--;
    if (this.#varintBytes === 0) this.#claim = 0;
    this.#claim += (byte & 0x7f) * 128 ** this.#varintBytes++;
    if (byte < 0x80) {
      this.#varintBytes = 0;
      this.#open = this.#claim;
      this.#problem = this.#judge();
    } else if (this.#varintBytes === MAX_VARINT_BYTES) {
      this.#problem = "the length of a message in the protobuf body is no number of 64 bits";
    }
  }

  #judge(): string | undefined {
    if (this.#left !== Number.POSITIVE_INFINITY)
      return this.#open > this.#left ? describe(this.#claim, `${this.#left} follow`) : undefined;
    return this.#open > MAX_CLAIM_BYTES
      ? describe(this.#claim, `at most ${MAX_CLAIM_BYTES} are taken in chunks`)
      : undefined;
  }
}

function describe(claim: number, instead: string): string {
  return `a message in the protobuf body claims ${claim} bytes, and ${instead}`;
}
