import { type BodyDecoder, type BodySink, createBodyDecoder } from "./body-decoder.ts";
import type { BodyFraming } from "./framing.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import type { BodyReceiver } from "./server-exchange.ts";

/** The body of one request: takes its framing off, holds it to the limit, and hands it to whoever receives it. */
export class RequestBody implements BodySink {
  readonly #decoder: BodyDecoder;
  readonly #maxBytes: number;
  #bytes = 0;
  #receiver: BodyReceiver | undefined;
  #started = false;
  #paused = false;

  /** `maxBytes`: 0 means no limit. Throws HttpSyntaxError 413 when the head announces more. */
  constructor(framing: BodyFraming, maxBytes: number) {
    this.#maxBytes = maxBytes;
    if (framing.kind === "length") this.#checkLength(framing.length);
    this.#decoder = createBodyDecoder(framing);
  }

  /** Whether its last byte has been read. */
  get isWhole(): boolean {
    return this.#decoder.done;
  }

  /** Whether somebody receives it, is not through with it, and does not want it held back. */
  get isWanted(): boolean {
    return this.#receiver !== undefined && !this.#paused;
  }

  start(receiver: BodyReceiver): void {
    if (this.#started) throw new Error("Cannot receive a request body: it is being received, or has been");
    this.#started = true;
    this.#receiver = receiver;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
  }

  /** Reads on; returns what lies behind the body. Without a receiver the bytes are dropped. Throws HttpSyntaxError. */
  read(data: Buffer): Buffer | undefined {
    const end = this.#decoder.decode(data, 0, this);
    return end < data.length ? data.subarray(end) : undefined;
  }

  onData(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#checkLength(this.#bytes);
    this.#receiver?.onData(chunk);
  }

  /** Tells the receiver that it has everything. */
  end(): void {
    this.#takeReceiver()?.onEnd();
  }

  /** Tells the receiver, unless it is through, that there will be no more. */
  abort(reason: string): void {
    this.#takeReceiver()?.onAbort(reason);
  }

  #takeReceiver(): BodyReceiver | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    return receiver;
  }

  #checkLength(length: number): void {
    if (this.#maxBytes > 0 && length > this.#maxBytes) {
      throw new HttpSyntaxError(413, `Request body too large: more than ${this.#maxBytes} bytes`);
    }
  }
}
