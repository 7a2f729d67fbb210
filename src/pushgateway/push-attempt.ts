import type { ClientConnection, ConnectionError, ResponseReceiver } from "../http/client-connection.ts";
import type { OutputBuffer } from "../http/output-buffer.ts";
import type { ResponseHead } from "../http/response-head.ts";

/**
 * How an attempt to push to one member failed.
 *
 * - `unreachable`: no connection came about. The member has seen nothing of the push, or died when it had.
 * - `dead`: the connection was lost before an answer, and the member is gone. It may have stored the push, and lost it.
 * - `unresponsive`: neither the push nor a health probe is answered in time. The push may sit in the member's socket and be
 *   applied whenever it thaws.
 * - `dropped`: the member lives but closed the connection without an answer, also when the push was sent again.
 *   Pushgateway 1.11.0 does that to pushes that it rejects.
 * - `malformed`: the answer was cut or is not HTTP. The member has seen the push.
 * - `overloaded`: too many pushes wait for this member. It has seen nothing of this one.
 */
export type AttemptFailure = "unreachable" | "dead" | "unresponsive" | "dropped" | "malformed" | "overloaded";

/** Takes what becomes of an attempt. Exactly one of onResponseEnd and onAttemptFailed is called, once, unless it is aborted. */
export interface AttemptReceiver {
  onResponseHead(head: ResponseHead): void;
  /** The chunk may be kept. */
  onResponseData(chunk: Buffer): void;
  onResponseEnd(): void;
  /** `detail` says for people what was seen. After onResponseHead it means that the response will stay incomplete. */
  onAttemptFailed(failure: AttemptFailure, detail: string): void;
  /** The member can take more of the body: it is connected and what was written has gone out. */
  onDrain(): void;
}

export interface OutgoingRequest {
  readonly method: string;
  /** Whether `writeTo` writes the whole request. If not, the rest follows by `write` and `finish`. */
  readonly isWhole: boolean;
  /** Writes the head, and as much of the body as is at hand. Called again when the push must be sent again. */
  writeTo(output: OutputBuffer, address: string): void;
}

/** What an attempt needs of the member it is made on. */
export interface AttemptOwner {
  readonly address: string;
  /** For putting a request together. */
  readonly output: OutputBuffer;
  /** The monotonic time to a tenth of a second: enough to notice who waits too long, and cheaper than the exact one. */
  readonly now: number;
  /** Gives the attempt a connection, now or later, through `useConnection`; or fails it. */
  connect(attempt: PushAttempt, fresh: boolean): void;
  /** The attempt lost its connection before an answer, and cannot be repeated: find out whether the member lives, then fail it. */
  judgeLoss(attempt: PushAttempt, error: ConnectionError): void;
  /** The attempt is over. */
  release(attempt: PushAttempt): void;
}

/**
 * One push on its way to one member. A connection that is lost before an answer is replaced once if the push is at hand as a
 * whole: it may only have been an idle one that the member closed at that moment. Pushing the same again is harmless, since a
 * push sets values.
 */
export class PushAttempt implements ResponseReceiver {
  /** Since when the member has had the next move, on the monotonic clock; Infinity while it has not. */
  waitingSince: number;
  /** The connection it is on, or waits for. */
  connection: ClientConnection | undefined;
  readonly #request: OutgoingRequest;
  readonly #receiver: AttemptReceiver;
  readonly #owner: AttemptOwner;
  #state: "connecting" | "sent" | "answering" | "over" = "connecting";
  /** Whether the request can be sent again. What follows on `writeTo` is not kept. */
  readonly #replayable: boolean;
  #retried = false;
  /** Whether the last byte of the request has been written. */
  #finished: boolean;

  constructor(request: OutgoingRequest, receiver: AttemptReceiver, owner: AttemptOwner) {
    this.#request = request;
    this.#receiver = receiver;
    this.#owner = owner;
    this.#replayable = request.isWhole;
    this.#finished = request.isWhole;
    this.waitingSince = owner.now;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** Whether bytes of it went to the member, which may act on them. */
  get wasSent(): boolean {
    return this.#state !== "connecting" || this.#retried;
  }

  start(): void {
    // What cannot be sent again gets a connection that cannot turn out to be stale.
    this.#owner.connect(this, !this.#replayable);
  }

  useConnection(connection: ClientConnection): void {
    this.connection = connection;
    this.#state = "sent";
    this.waitingSince = this.#owner.now;
    const { method, isWhole } = this.#request;
    const { output, address } = this.#owner;
    output.clear();
    this.#request.writeTo(output, address);
    if (connection.send(method, output, isWhole, this) && !isWhole) this.onDrain();
  }

  /** Sends more of a request that is not whole. False: wait for onDrain. */
  write(bytes: Buffer): boolean {
    const taken = this.connection?.write(bytes) ?? true;
    if (!taken) this.waitingSince = this.#owner.now;
    return taken;
  }

  /** The last byte of a request that was not whole has been written. */
  finish(): void {
    this.#finished = true;
    this.waitingSince = this.#owner.now;
    this.connection?.finishRequest();
  }

  pauseResponse(): void {
    this.connection?.pause();
  }

  resumeResponse(): void {
    this.connection?.resume();
  }

  /** Gives up without a word to the receiver. A member that has the whole request may still apply it. */
  abort(): void {
    this.#end()?.destroy();
  }

  fail(failure: AttemptFailure, detail: string): void {
    if (this.#state === "over") return;
    const { wasSent } = this;
    this.#end()?.destroy();
    this.#receiver.onAttemptFailed(wasSent || failure !== "unresponsive" ? failure : "unreachable", detail);
  }

  onResponseHead(head: ResponseHead): void {
    this.#state = "answering";
    this.waitingSince = Number.POSITIVE_INFINITY;
    this.#receiver.onResponseHead(head);
  }

  onResponseData(chunk: Buffer): void {
    this.#receiver.onResponseData(chunk);
  }

  onResponseEnd(): void {
    this.#end();
    this.#receiver.onResponseEnd();
  }

  onDrain(): void {
    this.waitingSince = this.#finished ? this.#owner.now : Number.POSITIVE_INFINITY;
    this.#receiver.onDrain();
  }

  onFailure(error: ConnectionError): void {
    if (error.kind !== "lost") {
      this.fail("malformed", error.message);
    } else if (this.#retried || !this.#replayable) {
      this.#owner.judgeLoss(this, error);
    } else {
      this.#retried = true;
      this.#state = "connecting";
      this.connection = undefined;
      this.#owner.connect(this, true);
    }
  }

  #end(): ClientConnection | undefined {
    const connection = this.connection;
    this.connection = undefined;
    this.#state = "over";
    this.#owner.release(this);
    return connection;
  }
}
