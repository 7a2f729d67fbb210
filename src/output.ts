/** The part of a stream that an Output needs. */
export interface OutputStream {
  write(text: string, written: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/**
 * Writes text to a stream without waiting for its reader. A reader that is slow or gone costs text, never pushes and
 * never memory without bound.
 */
export class Output {
  readonly #stream: OutputStream;
  readonly #maxPending: number;
  #onDropped: (texts: number) => void = () => {};
  #pending = 0;
  #dropped = 0;
  #whenWritten: (() => void) | undefined;

  /** Texts are dropped while more than `maxPending` UTF-16 code units wait to be read. */
  constructor(stream: OutputStream, maxPending: number = 1024 * 1024) {
    this.#stream = stream;
    this.#maxPending = maxPending;
    // Without a listener, a reader that closes its end would end the process.
    stream.on("error", () => {});
  }

  /** `listener` is called when texts get through again, with the number of those that were dropped meanwhile. */
  onDropped(listener: (texts: number) => void): void {
    this.#onDropped = listener;
  }

  write(text: string): void {
    if (this.#pending > this.#maxPending) {
      this.#dropped++;
      return;
    }
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#onDropped(dropped);
    this.#pending += text.length;
    this.#stream.write(text, () => {
      this.#pending -= text.length;
      if (this.#pending === 0) this.#whenWritten?.();
    });
  }

  /** Waits until all is written, or `timeoutMs` have passed. To be called once, after the last text. */
  async flush(timeoutMs: number): Promise<void> {
    if (this.#pending === 0) return;
    const written = Promise.withResolvers<void>();
    const timer = setTimeout(written.resolve, timeoutMs);
    this.#whenWritten = written.resolve;
    await written.promise;
    clearTimeout(timer);
  }
}
