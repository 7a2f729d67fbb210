import { ClientConnection, type ConnectionError, type ResponseReceiver } from "../http/client-connection.ts";
import { OutputBuffer } from "../http/output-buffer.ts";
import type { ResponseHead } from "../http/response-head.ts";
import { splitAddress } from "./address.ts";

/**
 * What one look at a Pushgateway says about it.
 *
 * - `healthy`: it answered 2xx.
 * - `overloaded`: it answered 429, or the 500 by which it says that its write queue is full. It lives, and taking it
 *   out would push its load onto the next one.
 * - `unauthorized`: it answered 401 or 403. It lives, but asks for credentials that health checks do not have.
 * - `unhealthy`: it answered anything else, HTTP or not.
 * - `refused`: nobody listens there.
 * - `unreachable`: no answer: no route, no such name, a reset, or the deadline passed.
 */
export type ProbeVerdict = "healthy" | "overloaded" | "unauthorized" | "unhealthy" | "refused" | "unreachable";

export interface ProbeResult {
  readonly verdict: ProbeVerdict;
  /**
   * What was seen, for people: `no answer within 2000 ms`. The same words for the same trouble, so that it can be
   * compared.
   */
  readonly detail: string;
}

export interface ProbeOptions {
  /** Request target of the health check, normally `/-/healthy`. */
  readonly path: string;
  /** Deadline for the whole exchange, name resolution and connecting included. */
  readonly timeoutMs: number;
  /** Rejects the probe with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Whether something answered, be it in anger. A push that was cut off by a member that answers was not cut off by its
 * death.
 */
export function hasAnswered(verdict: ProbeVerdict): boolean {
  return verdict !== "refused" && verdict !== "unreachable";
}

/** Whether the answer speaks for keeping the member in service. */
export function isInService(verdict: ProbeVerdict): boolean {
  return verdict === "healthy" || verdict === "overloaded" || verdict === "unauthorized";
}

// An answer to a health check is a word or two. Whoever sends more is judged by its status and what came so far.
const MAX_BODY_BYTES = 4096;
/** A deadline that is looked at so late tells of this process, not of the member. */
const STALL_MS = 50;

/**
 * Looks once at a Pushgateway, on a connection of its own: a pooled one could be half dead, or wait behind hanging
 * pushes. It asks with GET, because a Pushgateway answers 405 to HEAD. Resolves with what it found, whatever that is;
 * rejects only when aborted.
 */
export function probe(address: string, options: ProbeOptions): Promise<ProbeResult> {
  const { signal, timeoutMs, path } = options;
  const { promise, resolve, reject } = Promise.withResolvers<ProbeResult>();
  if (signal?.aborted) return Promise.reject(signal.reason);
  const { host, port } = splitAddress(address);
  const connection = ClientConnection.open(
    host,
    port,
    () => connection.send("GET", probeRequest(address, path), true, new ProbeReceiver(path, resolve)),
    (error) => resolve(judgeError(error)),
  );
  let due = performance.now() + timeoutMs;
  let deadline = setTimeout(onDeadline, timeoutMs);
  let isExtended = false;
  // What came while this process itself stood still has not been read yet.
  function onDeadline(): void {
    const lateMs = performance.now() - due;
    if (lateMs < STALL_MS || isExtended) {
      resolve({ verdict: "unreachable", detail: `no answer within ${timeoutMs} ms` });
      return;
    }
    isExtended = true;
    due = performance.now() + Math.min(lateMs, timeoutMs);
    deadline = setTimeout(onDeadline, Math.min(lateMs, timeoutMs));
  }
  const onAbort = () => reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  return promise.finally(() => {
    clearTimeout(deadline);
    signal?.removeEventListener("abort", onAbort);
    connection.destroy();
  });
}

function probeRequest(address: string, path: string): OutputBuffer {
  const request = new OutputBuffer();
  request.addText(`GET ${path} HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\n\r\n`);
  return request;
}

/**
 * Gathers status and body, and judges by what there is when the answer ends, properly or not, or has become too long.
 */
class ProbeReceiver implements ResponseReceiver {
  readonly #path: string;
  readonly #resolve: (result: ProbeResult) => void;
  #status = 0;
  #body = "";

  constructor(path: string, resolve: (result: ProbeResult) => void) {
    this.#path = path;
    this.#resolve = resolve;
  }

  onResponseHead(head: ResponseHead): void {
    this.#status = head.status;
  }

  onResponseData(chunk: Buffer): void {
    this.#body += chunk.toString("latin1");
    if (this.#body.length >= MAX_BODY_BYTES) this.onResponseEnd();
  }

  onResponseEnd(): void {
    this.#resolve(judgeAnswer(this.#status, this.#body, this.#path));
  }

  onFailure(error: ConnectionError): void {
    if (this.#status === 0) this.#resolve(judgeError(error));
    else this.onResponseEnd();
  }

  onDrain(): void {}
}

function judgeAnswer(status: number, body: string, path: string): ProbeResult {
  if (status >= 200 && status < 300) return { verdict: "healthy", detail: `answers ${status}` };
  if (status === 429) return { verdict: "overloaded", detail: "answers 429" };
  // Pushgateway's own words (handler/misc.go) for a queue of 1,000 writes.
  if (status === 500 && body.includes("write queue is full"))
    return { verdict: "overloaded", detail: "write queue is full" };
  if (status === 401 || status === 403) {
    return { verdict: "unauthorized", detail: `answers ${status} to GET ${path}, which asks for credentials` };
  }
  return { verdict: "unhealthy", detail: `answers ${status} to GET ${path}` };
}

function judgeError(error: ConnectionError): ProbeResult {
  switch (error.kind) {
    case "malformed":
    case "cut":
      return { verdict: "unhealthy", detail: "does not answer in HTTP" };
    case "refused":
      return error.code === "ECONNREFUSED"
        ? { verdict: "refused", detail: "connection refused" }
        : { verdict: "unreachable", detail: error.code };
    default:
      return { verdict: "unreachable", detail: "connection reset" };
  }
}
