import { ClientConnection, type ConnectionError, type ResponseReceiver } from "../http/client-connection.ts";
import { OutputBuffer } from "../http/output-buffer.ts";
import type { ResponseHead } from "../http/response-head.ts";
import { splitAddress } from "./address.ts";
import type { MemberAnswer, MemberRequest, MemberRequestError, MemberRequestFailure } from "./member-request.ts";

/** Takes the body of an answer piece by piece. While a promise of it is open, the member is held back. */
type AnswerReceiver = (chunk: Buffer, answer: MemberAnswer) => void | Promise<void>;

/** Makes an error of what was seen. */
export type Failure = (
  kind: MemberRequestFailure,
  seen: string,
  status?: number,
  cause?: unknown,
) => MemberRequestError;

/** One request and its answer. Nothing is asked twice: the connection is new, so that a loss of it says something. */
export class MemberExchange implements ResponseReceiver {
  readonly #address: string;
  readonly #request: MemberRequest;
  readonly #failure: Failure;
  readonly #onData: AnswerReceiver;
  readonly #outcome = Promise.withResolvers<MemberAnswer>();
  #connection: ClientConnection | undefined;
  #sentAt = 0;
  #answer: MemberAnswer | undefined;
  #idleTimer: Timer | undefined;
  /** What came while the consumer was busy: bounded, since the connection is paused meanwhile. */
  readonly #waiting: Buffer[] = [];
  #isBusy = false;
  #hasEnded = false;

  constructor(address: string, request: MemberRequest, failure: Failure, onData: AnswerReceiver) {
    this.#address = address;
    this.#request = request;
    this.#failure = failure;
    this.#onData = onData;
  }

  async run(): Promise<MemberAnswer> {
    const { signal, timeoutMs } = this.#request;
    signal?.throwIfAborted();
    const { host, port } = splitAddress(this.#address);
    const onAbort = () => this.#outcome.reject(signal?.reason);
    const deadline = setTimeout(() => this.#giveUp(timeoutMs), timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#connection = ClientConnection.open(
      host,
      port,
      (connection) => this.#send(connection),
      (error) => this.onFailure(error),
    );
    try {
      return await this.#outcome.promise;
    } finally {
      clearTimeout(deadline);
      clearTimeout(this.#idleTimer);
      signal?.removeEventListener("abort", onAbort);
      this.#waiting.length = 0;
      this.#connection.destroy();
    }
  }

  onResponseHead({ status, fields }: ResponseHead): void {
    const headAt = Date.now();
    const memberSeconds = Date.parse(fields.get("date") ?? "") / 1_000;
    const clock = Number.isNaN(memberSeconds) ? undefined : { memberSeconds, sentAt: this.#sentAt, headAt };
    this.#answer = { status, fields, clock };
    const { idleTimeoutMs } = this.#request;
    if (idleTimeoutMs !== undefined)
      this.#idleTimer = setTimeout(() => this.#noteSilence(idleTimeoutMs), idleTimeoutMs);
  }

  onResponseData(chunk: Buffer): void {
    this.#idleTimer?.refresh();
    this.#waiting.push(chunk);
    if (!this.#isBusy) this.#handOut();
  }

  onResponseEnd(): void {
    this.#hasEnded = true;
    if (!this.#isBusy) this.#handOut();
  }

  onFailure(error: ConnectionError): void {
    this.#fail(error.kind, describeLoss(error), error);
  }

  onDrain(): void {}

  #send(connection: ClientConnection): void {
    this.#sentAt = Date.now();
    connection.send(this.#request.method, writeRequest(this.#address, this.#request), true, this);
  }

  /** Gives the consumer what is there, until it asks for time. */
  #handOut(): void {
    try {
      for (let chunk = this.#waiting.shift(); chunk !== undefined; chunk = this.#waiting.shift()) {
        const taken = this.#onData(chunk, this.#answer as MemberAnswer);
        if (taken !== undefined) {
          this.#wait(taken);
          return;
        }
      }
    } catch (error) {
      this.#outcome.reject(error);
    }
    if (this.#hasEnded) this.#outcome.resolve(this.#answer as MemberAnswer);
  }

  #wait(taken: Promise<void>): void {
    this.#isBusy = true;
    this.#connection?.pause();
    taken.then(
      () => {
        this.#isBusy = false;
        this.#idleTimer?.refresh();
        this.#handOut();
        if (!this.#isBusy) this.#connection?.resume();
      },
      (error) => this.#outcome.reject(error),
    );
  }

  #noteSilence(idleTimeoutMs: number): void {
    // Where the consumer holds the member back, the silence is our own.
    if (this.#isBusy || this.#hasEnded) this.#idleTimer?.refresh();
    else this.#fail("timeout", `has been silent for ${idleTimeoutMs} ms within its answer`);
  }

  #giveUp(timeoutMs: number): void {
    const seen = this.#answer === undefined ? "has not answered" : "has not finished its answer";
    this.#fail("timeout", `${seen} within ${timeoutMs} ms`);
  }

  #fail(kind: MemberRequestFailure, seen: string, cause?: unknown): void {
    this.#outcome.reject(this.#failure(kind, seen, this.#answer?.status, cause));
  }
}

function describeLoss(error: ConnectionError): string {
  const cause = error.cause === undefined ? "" : ` (${error.code})`;
  switch (error.kind) {
    case "refused":
      return error.code === "ECONNREFUSED" ? "refuses the connection" : `cannot be connected to (${error.code})`;
    case "lost":
      return `closed the connection without an answer${cause}`;
    case "cut":
      return `broke off its answer${cause}`;
    case "malformed":
      return `does not answer in HTTP (${error.message})`;
  }
}

function writeRequest(address: string, { method, target, headers = [], body }: MemberRequest): OutputBuffer {
  const output = new OutputBuffer();
  output.addText(`${method} ${target} HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n`);
  for (let i = 0; i + 1 < headers.length; i += 2) output.addText(`${headers[i]}: ${headers[i + 1]}\r\n`);
  if (body !== undefined) output.addText(`Content-Length: ${body.length}\r\n`);
  output.addText("\r\n");
  if (body !== undefined) output.addBytes(Buffer.from(body.buffer, body.byteOffset, body.length));
  return output;
}
