import type { HeaderFields } from "../http/header-fields.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import { type Failure, MemberExchange } from "./member-exchange.ts";

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
  const fail = failureOf(address, request);
  const answer = await new MemberExchange(address, request, fail, (chunk, { status }) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > maxBodyBytes) throw fail("malformed", `answers more than ${maxBodyBytes} bytes`, status);
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
  const fail = failureOf(address, request);
  const refuse = ({ status }: MemberAnswer) => fail("status", describeRefusal(status, refusal), status);
  const answer = await new MemberExchange(address, request, fail, (chunk, head) => {
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

function failureOf(address: string, request: MemberRequest): Failure {
  return (kind, seen, status, cause) => failure(kind, address, request, seen, status, cause);
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
