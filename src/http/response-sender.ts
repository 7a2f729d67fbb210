import type { OutputBuffer } from "./output-buffer.ts";
import type { RequestHead } from "./request-head.ts";
import { addResponseHead, type ResponseHeaders, type ResponseHeadParts } from "./response.ts";
import type { ResponseBodyFraming } from "./server-exchange.ts";
import type { SocketWriter } from "./socket-writer.ts";

/** A longer piece of a body is not copied to save a system call. */
const MAX_COPIED_BYTES = 65_536;
const CRLF = Buffer.from("\r\n");

/**
 * Sends one response: puts the framing on, and holds the body to the length that the head announces, since a byte too many or
 * too few would be taken for the beginning of the next response, or the reverse.
 */
export class ResponseSender {
  readonly #writer: SocketWriter;
  readonly #output: OutputBuffer;
  readonly #request: RequestHead;
  /** The head, until it goes out with the first piece of the body, or the end. */
  #head: ResponseHeadParts | undefined;
  #framing: "none" | "length" | "chunked" | "until-close" = "none";
  #left = 0;
  #finished = false;

  /** `output` is shared by all connections of a server. */
  constructor(writer: SocketWriter, output: OutputBuffer, request: RequestHead) {
    this.#writer = writer;
    this.#output = output;
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
    headers: ResponseHeaders,
    body: ResponseBodyFraming,
    closes: boolean,
  ): boolean {
    this.#frame(status, body);
    const mustClose = closes || this.#framing === "until-close";
    this.#head = {
      status,
      reason,
      headers,
      ownLines: this.#framingLine(status, body) + this.#connectionLine(mustClose),
    };
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

  /** To HEAD it is the length that GET would be sent; a 204 must not have one (RFC 9110 §8.6). */
  #framingLine(status: number, body: ResponseBodyFraming): string {
    if (typeof body === "object" && status !== 204) return `Content-Length: ${body.length}\r\n`;
    return this.#framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
  }

  #connectionLine(mustClose: boolean): string {
    if (mustClose) return "Connection: close\r\n";
    return this.#request.minorVersion === 0 ? "Connection: keep-alive\r\n" : "";
  }

  /** Sends a piece of the body; drops it when the response can have none. False: the client is slow. Throws RangeError. */
  write(chunk: Buffer): boolean {
    if (chunk.length === 0 || this.#framing === "none") return true;
    if (this.#framing === "length") {
      if (chunk.length > this.#left) throw new RangeError("Cannot send a response body longer than announced");
      this.#left -= chunk.length;
    }
    const output = this.#startOutput();
    const isChunked = this.#framing === "chunked";
    if (isChunked) output.addText(`${chunk.length.toString(16)}\r\n`);
    if (chunk.length > MAX_COPIED_BYTES) {
      if (output.length > 0) this.#writer.writeOutput(output);
      const isTaken = this.#writer.write(chunk);
      return isChunked ? this.#writer.write(CRLF) : isTaken;
    }
    output.addBytes(chunk);
    if (isChunked) output.addBytes(CRLF);
    return this.#writer.writeOutput(output);
  }

  /** Throws RangeError when the body is shorter than announced. */
  finish(): void {
    if (this.#framing === "length" && this.#left > 0) {
      throw new RangeError("Cannot send a response body shorter than announced");
    }
    const output = this.#startOutput();
    if (this.#framing === "chunked") output.addText("0\r\n\r\n");
    if (output.length > 0) this.#writer.writeOutput(output);
    this.#finished = true;
  }

  /** The emptied buffer, with the head in it if that has not gone out yet. */
  #startOutput(): OutputBuffer {
    const output = this.#output;
    output.clear();
    if (this.#head !== undefined) addResponseHead(output, this.#head);
    this.#head = undefined;
    return output;
  }
}
