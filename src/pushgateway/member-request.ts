import { ClientConnection, type ConnectionError, type ResponseReceiver } from "../http/client-connection.ts";
import type { HeaderFields } from "../http/header-fields.ts";
import { OutputBuffer } from "../http/output-buffer.ts";
import type { ResponseHead } from "../http/response-head.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import { splitAddress } from "./address.ts";

export interface MemberRequest {
  readonly method: string;
  /** Path and query as they go over the wire. */
  readonly target: ByteString;
  /** Names and values by turns, besides Host, Connection and Content-Length. */
  readonly headers?: readonly ByteString[];
  readonly body?: Uint8Array | undefined;
  /** Deadline for the whole exchange, name resolution and connecting included. */
  readonly timeoutMs: number;
  /**
   * The longest silence within an answer; only the whole is limited when absent. It does not count before the answer begins:
   * a Pushgateway puts together all of a listing before it sends the first byte.
   */
  readonly idleTimeoutMs?: number | undefined;
  /** Rejects the request with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** A member's clock beside ours. The member read its clock between `sentAt` and `headAt` and dropped what exceeds whole seconds. */
export interface ClockSample {
  /** Unix time in seconds, from the Date field of the answer. */
  readonly memberSeconds: number;
  /** When the request was sent, in milliseconds since 1970 by our clock. */
  readonly sentAt: number;
  /** When the head of the answer was there, in milliseconds since 1970 by our clock. */
  readonly headAt: number;
}

/** What an answer says besides its body. */
export interface MemberAnswer {
  readonly status: number;
  readonly fields: HeaderFields;
  /** Absent when the answer has no date. */
  readonly clock: ClockSample | undefined;
}

/**
 * Why a request of our own to a member came to nothing.
 *
 * - `refused`: no connection came about. The member has seen nothing of the request.
 * - `lost`: the connection ended before an answer. The member may have acted on the request.
 * - `timeout`: a deadline passed. The member may have acted on the request, or may do so when it thaws.
 * - `cut`: the answer broke off.
 * - `malformed`: the answer is not what was asked for: not HTTP, not JSON, too long.
 * - `status`: the answer's status does not mean success.
 */
export type MemberRequestFailure = "refused" | "lost" | "timeout" | "cut" | "malformed" | "status";

/** Its message names the member, the request and what was seen. */
export class MemberRequestError extends Error {
  override readonly name = "MemberRequestError";
  readonly kind: MemberRequestFailure;
  /** Of the answer, once there was one. */
  readonly status: number | undefined;

  constructor(kind: MemberRequestFailure, message: string, status?: number, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
    this.status = status;
  }
}

/** Takes the body of an answer piece by piece; a piece may be kept. While a promise of it is open, the member is held back. */
export type DataReceiver = (chunk: Buffer) => void | Promise<void>;

const DEFAULT_MAX_BODY_BYTES = 16_777_216;

/**
 * Asks a member something, on a connection of its own: what a Pushgateway is asked about its groups may take long, and must not
 * stand in the way of pushes. Resolves with the whole answer, whatever its status is.
 *
 * @throws MemberRequestError; the reason of the signal.
 */
export async function requestMember(
  address: string,
  request: MemberRequest & {
    /** A longer body fails the request. 16 MiB when absent. */
    readonly maxBodyBytes?: number;
  },
): Promise<MemberAnswer & { readonly body: Buffer }> {
  const { maxBodyBytes = DEFAULT_MAX_BODY_BYTES } = request;
  const chunks: Buffer[] = [];
  let length = 0;
  const answer = await new MemberExchange(address, request, (chunk, { status }) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBodyBytes)
      throw failure("malformed", address, request, `answers more than ${maxBodyBytes} bytes`, status);
  }).run();
  return { ...answer, body: Buffer.concat(chunks, length) };
}

/**
 * Like `requestMember`, but hands the body out as it comes and keeps nothing of it. Rejects for a status that is not 2xx, of
 * whose body nothing comes to `onData`; and with whatever `onHead` or `onData` throws. What came before a rejection is the
 * beginning of an answer and no more.
 */
export async function streamMember(
  address: string,
  request: MemberRequest & {
    /** Looks at the head of a successful answer before any of its body comes. */
    readonly onHead?: (answer: MemberAnswer) => void;
  },
  onData: DataReceiver,
): Promise<MemberAnswer> {
  let refusal = "";
  let started = false;
  const start = (answer: MemberAnswer): void => {
    if (!started) request.onHead?.(answer);
    started = true;
  };
  const refuse = ({ status }: MemberAnswer) =>
    failure("status", address, request, describeRefusal(status, refusal), status);
  const answer = await new MemberExchange(address, request, (chunk, head) => {
    if (isSuccess(head)) {
      start(head);
      return onData(chunk);
    }
    refusal += chunk.toString("latin1", 0, MAX_REFUSAL_BYTES);
    if (refusal.length >= MAX_REFUSAL_BYTES) throw refuse(head);
  }).run();
  if (!isSuccess(answer)) throw refuse(answer);
  start(answer);
  return answer;
}

/** An error about a request, in the words that all of them share. */
export function failure(
  kind: MemberRequestFailure,
  address: string,
  { method, target }: Pick<MemberRequest, "method" | "target">,
  seen: string,
  status?: number,
  cause?: unknown,
): MemberRequestError {
  const shown = target.length > MAX_SHOWN_TARGET ? `${target.slice(0, MAX_SHOWN_TARGET)}...` : target;
  return new MemberRequestError(kind, `Cannot ${method} ${shown} at ${address}: it ${seen}`, status, cause);
}

const MAX_SHOWN_TARGET = 200;
const MAX_REFUSAL_BYTES = 1_000;
const MAX_SHOWN_REFUSAL = 200;

function isSuccess({ status }: MemberAnswer): boolean {
  return status >= 200 && status < 300;
}

function describeRefusal(status: number, body: string): string {
  if (status === 401 || status === 403) return `answers ${status}, which asks for credentials`;
  const text = body.trim().replaceAll(/[^ -~]+/g, " ");
  return text === "" ? `answers ${status}` : `answers ${status}: ${text.slice(0, MAX_SHOWN_REFUSAL)}`;
}

type AnswerReceiver = (chunk: Buffer, answer: MemberAnswer) => void | Promise<void>;

/** One request and its answer. Nothing is asked twice: the connection is new, so that a loss of it says something. */
class MemberExchange implements ResponseReceiver {
  readonly #address: string;
  readonly #request: MemberRequest;
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

  constructor(address: string, request: MemberRequest, onData: AnswerReceiver) {
    this.#address = address;
    this.#request = request;
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
    this.#outcome.reject(failure(kind, this.#address, this.#request, seen, this.#answer?.status, cause));
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
