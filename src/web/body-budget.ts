/**
 * The memory that request bodies may take while they are gathered and until they are answered. A body that finds none left
 * is streamed instead: it then cannot be sent to a second member, but it is not refused.
 */
export class BodyBudget {
  readonly #maxTotalBytes: number;
  #taken = 0;

  constructor(maxTotalBytes: number) {
    this.#maxTotalBytes = maxTotalBytes;
  }

  /** Takes bytes, or returns false and takes none. */
  take(bytes: number): boolean {
    if (this.#taken + bytes > this.#maxTotalBytes) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes;
  }
}
