/** Time in steps as long as the pauses between ticks: reading the monotonic clock for each request costs more. */
export class CoarseClock {
  #now = performance.now();
  #second = 0;
  #date = "";

  /** Milliseconds on the monotonic clock. */
  get now(): number {
    return this.#now;
  }

  /**
   * The current time as the Date header wants it (RFC 9110 §5.6.7), to the second: routers tell by it how far the clocks of
   * Pushgateways differ, and a Date that lags misleads them.
   */
  get httpDate(): string {
    const second = Math.floor(Date.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(second * 1_000).toUTCString();
    }
    return this.#date;
  }

  tick(): void {
    this.#now = performance.now();
  }
}
