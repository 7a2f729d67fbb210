/** Time in steps as long as the pauses between ticks: reading the real clock for each request costs more. */
export class CoarseClock {
  #now = performance.now();
  #date = new Date().toUTCString();

  /** Milliseconds on the monotonic clock. */
  get now(): number {
    return this.#now;
  }

  /** The current time as the Date header wants it (RFC 9110 §5.6.7). */
  get httpDate(): string {
    return this.#date;
  }

  tick(): void {
    this.#now = performance.now();
    this.#date = new Date().toUTCString();
  }
}
