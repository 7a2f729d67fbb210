import { type IncomingMessage, request } from "node:http";
import { splitAddress } from "./address.ts";

/**
 * What one look at a Pushgateway says about it.
 *
 * - `healthy`: it answered 2xx.
 * - `overloaded`: it answered 429, or the 500 by which it says that its write queue is full. It lives, and taking it out
 *   would push its load onto the next one.
 * - `unauthorized`: it answered 401 or 403. It lives, but asks for credentials that health checks do not have.
 * - `unhealthy`: it answered anything else, HTTP or not.
 * - `refused`: nobody listens there.
 * - `unreachable`: no answer: no route, no such name, a reset, or the deadline passed.
 */
export type ProbeVerdict = "healthy" | "overloaded" | "unauthorized" | "unhealthy" | "refused" | "unreachable";

export interface ProbeResult {
  readonly verdict: ProbeVerdict;
  /** What was seen, for people: `no answer within 2000 ms`. The same words for the same trouble, so that it can be compared. */
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

/** Whether something answered, be it in anger. A push that was cut off by a member that answers was not cut off by its death. */
export function hasAnswered(verdict: ProbeVerdict): boolean {
  return verdict !== "refused" && verdict !== "unreachable";
}

/** Whether the answer speaks for keeping the member in service. */
export function isInService(verdict: ProbeVerdict): boolean {
  return verdict === "healthy" || verdict === "overloaded" || verdict === "unauthorized";
}

// An answer to a health check is a word or two. Whoever sends more is judged by its status and what came so far.
const MAX_BODY_BYTES = 4096;

/**
 * Looks once at a Pushgateway, on a connection of its own: a pooled one could be half dead, or wait behind hanging pushes.
 * It asks with GET, because a Pushgateway answers 405 to HEAD. Resolves with what it found, whatever that is; rejects only when aborted.
 */
export function probe(address: string, options: ProbeOptions): Promise<ProbeResult> {
  const { signal, timeoutMs, path } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const { host, port } = splitAddress(address);
    const attempt = request({
      host,
      port,
      path,
      method: "GET",
      agent: false,
      headers: { Host: address, Connection: "close" },
    });
    const settle = (finish: () => void) => {
      clearTimeout(deadline);
      signal?.removeEventListener("abort", onAbort);
      attempt.destroy();
      finish();
    };
    const onAbort = () => settle(() => reject(signal?.reason));
    const deadline = setTimeout(() => {
      settle(() => resolve({ verdict: "unreachable", detail: `no answer within ${timeoutMs} ms` }));
    }, timeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });
    // The listener stays after the verdict: destroying the request makes it emit errors that nobody needs any more.
    attempt.on("error", (error) => settle(() => resolve(judgeError(error))));
    attempt.on("response", (response) => {
      readBody(response, (body) => settle(() => resolve(judgeAnswer(response.statusCode ?? 0, body, path))));
    });
    attempt.end();
  });
}

/** Calls back once, with as much of the body as came before its end, its limit or an error. */
function readBody(response: IncomingMessage, done: (body: string) => void): void {
  let body = "";
  response.setEncoding("latin1");
  response.on("data", (chunk: string) => {
    body += chunk;
    if (body.length >= MAX_BODY_BYTES) done(body);
  });
  response.on("end", () => done(body));
  response.on("error", () => done(body));
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

function judgeError(error: Error & { code?: string }): ProbeResult {
  const code = error.code ?? "";
  if (code === "ECONNREFUSED") return { verdict: "refused", detail: "connection refused" };
  if (code.startsWith("HPE_")) return { verdict: "unhealthy", detail: "does not answer in HTTP" };
  if (code === "ECONNRESET") return { verdict: "unreachable", detail: "connection reset" };
  return { verdict: "unreachable", detail: code === "" ? error.message : code };
}
