import type { RequestHead } from "./request-head.ts";
import { formatResponseHead } from "./response.ts";
import type { ResponseBodyFraming } from "./server-exchange.ts";
import type { SocketWriter } from "./socket-writer.ts";

/**
 * Sends one response: puts the framing on, and holds the body to the length that the head announces, since a byte too many or
 * too few would be taken for the beginning of the next response, or the reverse.
 */
export class ResponseSender {
  readonly #writer: SocketWriter;
  readonly #request: RequestHead;
  /** The head, until it goes out with the first piece of the body, or the end. */
  #head = "";
  #framing: "none" | "length" | "chunked" | "until-close" = "none";
  #left = 0;
  #finished = false;

  constructor(writer: SocketWriter, request: RequestHead) {
    this.#writer = writer;
    this.#request = request;
  }

  /** Whether everything has been given to the writer. */
  get isFinished(): boolean {
    return this.#finished;
  }

  /**
   * Prepares the head. `closes`: the connection closes behind this response; returns whether it does, which it also must when
   * nothing else can tell the end of the body.
   */
  begin(
    status: number,
    reason: string | undefined,
    headerLines: string,
    body: ResponseBodyFraming,
    closes: boolean,
  ): boolean {
    this.#frame(status, body);
    let lines = headerLines;
    // To HEAD it is the length that GET would be sent; a 204 must not have one (RFC 9110 §8.6).
    if (typeof body === "object" && status !== 204) lines += `Content-Length: ${body.length}\r\n`;
    if (this.#framing === "chunked") lines += "Transfer-Encoding: chunked\r\n";
    const mustClose = closes || this.#framing === "until-close";
    const keepAlive = this.#request.minorVersion === 0 ? "keep-alive" : undefined;
    const connection = mustClose ? "close" : keepAlive;
    this.#head = formatResponseHead(status, { reason, headerLines: lines, connection });
    return mustClose;
  }

  #frame(status: number, body: ResponseBodyFraming): void {
    // Such a response has no body, whatever its head says (RFC 9112 §6.3).
    if (body === "no-body" || this.#request.method === "HEAD" || status === 204 || status === 304) return;
    if (body === "unknown-length") {
      this.#framing = this.#request.minorVersion === 1 ? "chunked" : "until-close";
    } else {
      this.#framing = "length";
      this.#left = body.length;
    }
  }

  /** Sends a piece of the body; drops it when the response can have none. False: the client is slow. Throws RangeError. */
  write(chunk: Buffer): boolean {
    if (chunk.length === 0 || this.#framing === "none") return true;
    let before = this.#head;
    let after = "";
    if (this.#framing === "length") {
      if (chunk.length > this.#left) throw new RangeError("Cannot send a response body longer than announced");
      this.#left -= chunk.length;
    } else if (this.#framing === "chunked") {
      before += `${chunk.length.toString(16)}\r\n`;
      after = "\r\n";
    }
    this.#head = "";
    return this.#writer.write(joinBytes(before, chunk, after));
  }

  /** Throws RangeError when the body is shorter than announced. */
  finish(): void {
    if (this.#framing === "length" && this.#left > 0) {
      throw new RangeError("Cannot send a response body shorter than announced");
    }
    const tail = this.#framing === "chunked" ? `${this.#head}0\r\n\r\n` : this.#head;
    this.#head = "";
    if (tail !== "") this.#writer.write(Buffer.from(tail, "latin1"));
    this.#finished = true;
  }
}

/** Joins a body chunk and the byte strings around it, so that one write sends them. */
function joinBytes(before: string, chunk: Buffer, after: string): Buffer {
  if (before === "" && after === "") return chunk;
  const joined = Buffer.allocUnsafe(before.length + chunk.length + after.length);
  joined.write(before, "latin1");
  chunk.copy(joined, before.length);
  joined.write(after, before.length + chunk.length, "latin1");
  return joined;
}
