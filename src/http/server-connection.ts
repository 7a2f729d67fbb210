import type { Socket } from "bun";
import { type BodyDecoder, createBodyDecoder } from "./body-decoder.ts";
import { HeadReader } from "./head-reader.ts";
import { HttpSyntaxError } from "./headers.ts";
import { parseRequestHead, type RequestHead } from "./request-head.ts";
import { formatResponseHead } from "./response.ts";
import type { CoarseClock, HttpServerLimits } from "./server.ts";
import {
  type BodyReceiver,
  type ExchangeConnection,
  HttpExchange,
  type ResponseBodyFraming,
} from "./server-exchange.ts";
import { SocketWriter } from "./socket-writer.ts";

export interface ServerContext {
  readonly limits: () => HttpServerLimits;
  readonly handle: (exchange: HttpExchange) => void;
  readonly clock: CoarseClock;
  readonly isStopping: () => boolean;
}

/**
 * - `head`: between requests, or reading a request head.
 * - `exchange`: a handler has the request.
 * - `lingering`: answered and closing, but the client is still sending: reading its bytes away lets it see the answer,
 *   where closing at once would reset the connection under it (RFC 9112 §9.6).
 */
type Phase = "head" | "exchange" | "lingering" | "closed";

/** How long, and how much, is read away after a response that closes the connection. */
const LINGER_MS = 2_000;
/** An unread body up to this size is read away so that the connection can live on. */
const MAX_DISCARDED_BYTES = 262_144;

/** One client connection: reads requests one after the other, hands each to the handler, and sends what it answers. */
export class ServerConnection implements ExchangeConnection {
  readonly #socket: Socket<ServerConnection>;
  readonly #context: ServerContext;
  readonly #headReader: HeadReader;
  readonly #writer: SocketWriter;
  #phase: Phase = "head";
  /** When the current wait fails, on the coarse clock; Infinity while a handler is at work. */
  #deadline: number;
  #pumping = false;
  /** Bytes that arrived and are not used yet: of a body nobody reads for now, or of the next request. */
  #unread: Buffer | undefined;
  #reading = true;
  #clientEnded = false;

  #exchange: HttpExchange | undefined;
  #decoder: BodyDecoder | undefined;
  #receiver: BodyReceiver | undefined;
  readonly #bodySink = { onData: (chunk: Buffer) => this.#takeBody(chunk) };
  #bodyBytes = 0;
  #bodyPaused = false;

  #responseHead = "";
  #responseChunked = false;
  #responseFinished = false;
  #closeAfterResponse = false;

  constructor(socket: Socket<ServerConnection>, context: ServerContext) {
    this.#socket = socket;
    this.#context = context;
    this.#headReader = new HeadReader(context.limits().maxHeaderBytes);
    this.#writer = new SocketWriter(socket);
    this.#deadline = context.clock.now + context.limits().keepAliveTimeoutMs;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress;
  }

  get httpDate(): string {
    return this.#context.clock.httpDate;
  }

  onData(chunk: Buffer): void {
    this.#unread = this.#unread === undefined ? chunk : Buffer.concat([this.#unread, chunk]);
    this.#pump();
  }

  onDrain(): void {
    if (!this.#writer.flush()) {
      this.#waitForClient();
      return;
    }
    if (!this.#responseFinished) this.#exchange?.onDrain();
    this.#pump();
  }

  /** The client has sent its last byte. It may still wait for the answer. */
  onEnd(): void {
    this.#clientEnded = true;
    if (this.#phase === "lingering") this.#socket.end();
    else this.#pump();
  }

  onClose(): void {
    this.#phase = "closed";
    this.#abortBody(CLIENT_LEFT);
    this.#exchange?.connectionClosed();
    this.#exchange = undefined;
  }

  closeIfIdle(): void {
    if (this.#phase === "head" && !this.#headReader.started) this.#socket.end();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Called every sweep: ends what has waited too long. */
  checkDeadline(): void {
    if (this.#context.clock.now < this.#deadline) return;
    this.#deadline = Number.POSITIVE_INFINITY;
    if (this.#phase === "head" && this.#headReader.started) {
      this.#refuse(new HttpSyntaxError(408, "Request head not received in time"));
    } else if (this.#phase === "exchange" && this.#exchange?.isOpen === true) {
      this.#refuse(new HttpSyntaxError(408, "Request body not received in time"));
    } else {
      this.terminate();
    }
    this.#pump();
  }

  startBody(receiver: BodyReceiver): void {
    this.#receiver = receiver;
    if (!this.#bodyIsWhole()) {
      if (this.#exchange?.head.expectsContinue === true && this.#unread === undefined) this.#writer.write(CONTINUE);
      this.#waitForClient();
    }
    this.#pump();
  }

  pauseBody(): void {
    this.#bodyPaused = true;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#pump();
  }

  resumeBody(): void {
    this.#bodyPaused = false;
    if (!this.#bodyIsWhole()) this.#waitForClient();
    this.#pump();
  }

  sendHead(status: number, reason: string | undefined, headerLines: string, body: ResponseBodyFraming): void {
    const head = this.#exchange?.head;
    if (head === undefined) return;
    let lines = headerLines;
    this.#responseChunked = false;
    if (typeof body === "object") {
      lines += `Content-Length: ${body.length}\r\n`;
    } else if (body === "unknown-length" && head.method !== "HEAD") {
      this.#responseChunked = head.minorVersion === 1;
      if (this.#responseChunked) lines += "Transfer-Encoding: chunked\r\n";
      else this.#closeAfterResponse = true;
    }
    this.#decideConnection(head);
    const keepAlive = head.minorVersion === 0 ? "keep-alive" : undefined;
    const connection = this.#closeAfterResponse ? "close" : keepAlive;
    this.#responseHead = formatResponseHead(status, { reason, headerLines: lines, connection });
  }

  sendBody(chunk: Buffer): boolean {
    if (chunk.length === 0) return true;
    let before = this.#responseHead;
    let after = "";
    if (this.#responseChunked) {
      before += `${chunk.length.toString(16)}\r\n`;
      after = "\r\n";
    }
    this.#responseHead = "";
    const whole = this.#writer.write(joinBytes(before, chunk, after));
    if (!whole) this.#waitForClient();
    return whole;
  }

  finishResponse(): void {
    const tail = this.#responseHead + (this.#responseChunked ? "0\r\n\r\n" : "");
    this.#responseHead = "";
    if (tail !== "") this.#writer.write(Buffer.from(tail, "latin1"));
    this.#responseFinished = true;
    if (!this.#writer.isEmpty) this.#waitForClient();
    this.#pump();
  }

  /**
   * Does whatever can be done with the bytes at hand. Everything that happens to a connection ends here, and what a handler
   * calls meanwhile only leaves work for the running loop, so that pipelined requests cannot nest.
   */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#step()) {}
    } catch (error) {
      // A handler that throws must not leave its client waiting, nor take the server down.
      this.terminate();
      throw error;
    } finally {
      this.#pumping = false;
    }
    this.#adjustReading();
  }

  /** Returns whether something was done, so that there may be more to do. */
  #step(): boolean {
    if (this.#phase === "head") return this.#stepHead();
    if (this.#phase === "exchange") return this.#stepBody() || this.#stepResponse();
    this.#unread = undefined;
    return false;
  }

  #stepHead(): boolean {
    const chunk = this.#unread;
    this.#unread = undefined;
    if (chunk === undefined) {
      if (this.#clientEnded) this.#end();
      return false;
    }
    try {
      return this.#readHead(chunk);
    } catch (error) {
      this.#refuse(error);
      return true;
    }
  }

  #readHead(chunk: Buffer): boolean {
    const started = this.#headReader.started;
    const read = this.#headReader.read(chunk);
    if (read === undefined) {
      if (!started) this.#deadline = this.#context.clock.now + this.#context.limits().headerTimeoutMs;
      return false;
    }
    if (read.offset < read.data.length) this.#unread = read.data.subarray(read.offset);
    this.#startExchange(parseRequestHead(read.head));
    return true;
  }

  #startExchange(head: RequestHead): void {
    const { maxBodyBytes } = this.#context.limits();
    if (maxBodyBytes > 0 && head.framing.kind === "length" && head.framing.length > maxBodyBytes) {
      throw bodyTooLarge(maxBodyBytes);
    }
    const exchange = new HttpExchange(head, this);
    this.#beginExchange(exchange, createBodyDecoder(head.framing), !head.keepAlive);
    this.#context.handle(exchange);
  }

  #beginExchange(exchange: HttpExchange, decoder: BodyDecoder | undefined, closeAfterResponse: boolean): void {
    this.#phase = "exchange";
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#exchange = exchange;
    this.#decoder = decoder;
    this.#bodyBytes = 0;
    this.#bodyPaused = false;
    this.#responseFinished = false;
    this.#closeAfterResponse = closeAfterResponse;
  }

  #stepBody(): boolean {
    if (this.#receiver === undefined || this.#bodyPaused) return false;
    if (this.#bodyIsWhole()) {
      this.#deadline = Number.POSITIVE_INFINITY;
      const receiver = this.#receiver;
      this.#receiver = undefined;
      receiver.onEnd();
      return true;
    }
    const chunk = this.#unread;
    if (chunk === undefined) {
      if (this.#clientEnded) this.#end();
      return false;
    }
    this.#unread = undefined;
    this.#decodeBody(this.#decoder as BodyDecoder, chunk);
    return true;
  }

  #decodeBody(decoder: BodyDecoder, chunk: Buffer): void {
    try {
      const offset = decoder.decode(chunk, 0, this.#bodySink);
      if (offset < chunk.length) this.#unread = chunk.subarray(offset);
      if (!this.#bodyPaused) this.#waitForClient();
    } catch (error) {
      this.#refuse(error);
    }
  }

  #takeBody(chunk: Buffer): void {
    this.#bodyBytes += chunk.length;
    const { maxBodyBytes } = this.#context.limits();
    if (maxBodyBytes > 0 && this.#bodyBytes > maxBodyBytes) throw bodyTooLarge(maxBodyBytes);
    this.#receiver?.onData(chunk);
  }

  #stepResponse(): boolean {
    if (!(this.#responseFinished && this.#writer.isEmpty)) return false;
    this.#exchange = undefined;
    this.#abortBody("the request was answered before its body was complete");
    if (this.#closeAfterResponse) this.#close();
    else if (this.#bodyIsWhole()) this.#awaitRequest();
    else this.#discardBody();
    return true;
  }

  /** Reads a short body away that the handler did not want, then goes on to the next request. */
  #discardBody(): void {
    this.#responseFinished = false;
    this.#bodyPaused = false;
    this.#receiver = { onData: () => {}, onEnd: () => this.#awaitRequest(), onAbort: () => {} };
    this.#waitForClient();
  }

  #awaitRequest(): void {
    this.#phase = "head";
    this.#decoder = undefined;
    this.#deadline = this.#context.clock.now + this.#context.limits().keepAliveTimeoutMs;
    if (this.#context.isStopping() && this.#unread === undefined) this.#end();
  }

  #abortBody(reason: string): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.onAbort(reason);
  }

  #bodyIsWhole(): boolean {
    return this.#decoder?.done === true;
  }

  /** The client has the next move, and only so long for it. */
  #waitForClient(): void {
    this.#deadline = this.#context.clock.now + this.#context.limits().bodyIdleTimeoutMs;
  }

  /** Answers a request that cannot be read on, and closes: where the next one would begin is not known. */
  #refuse(error: unknown): void {
    if (!(error instanceof HttpSyntaxError)) throw error;
    const exchange = this.#exchange ?? new HttpExchange(UNREADABLE_REQUEST, this);
    if (this.#phase === "head") this.#beginExchange(exchange, undefined, true);
    this.#closeAfterResponse = true;
    if (exchange.isOpen) exchange.respondText(error.status, `${error.message}\n`);
    else this.terminate();
    this.#abortBody(error.message);
  }

  #decideConnection(head: RequestHead): void {
    if (this.#context.isStopping() || (this.#clientEnded && this.#unread === undefined))
      this.#closeAfterResponse = true;
    if (this.#bodyIsWhole()) return;
    // The client would have to send a body that nobody wants before its next request.
    const { framing } = head;
    const short = framing.kind === "length" && framing.length <= MAX_DISCARDED_BYTES;
    if (!short || head.expectsContinue) this.#closeAfterResponse = true;
  }

  #close(): void {
    if (this.#clientEnded || (this.#bodyIsWhole() && this.#unread === undefined)) {
      this.#end();
      return;
    }
    this.#phase = "lingering";
    this.#deadline = this.#context.clock.now + LINGER_MS;
    this.#socket.shutdown();
  }

  #end(): void {
    this.#phase = "closed";
    this.#abortBody(CLIENT_LEFT);
    this.#socket.end();
  }

  /** Holds back a client that sends ahead of what is read: the bytes wait in the socket, not in memory. */
  #adjustReading(): void {
    const wanted = this.#phase !== "exchange" || (this.#unread === undefined && !this.#bodyPaused);
    if (wanted === this.#reading) return;
    this.#reading = wanted;
    if (wanted) this.#socket.resume();
    else this.#socket.pause();
  }
}

const CLIENT_LEFT = "the client closed the connection before the body was complete";
const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** Stands for a request whose head could not be read. */
const UNREADABLE_REQUEST: RequestHead = {
  method: "",
  target: "",
  minorVersion: 1,
  headers: [],
  connectionOptions: ["close"],
  framing: { kind: "until-close" },
  keepAlive: false,
  expectsContinue: false,
};

function bodyTooLarge(maxBodyBytes: number): HttpSyntaxError {
  return new HttpSyntaxError(413, `Request body too large: more than ${maxBodyBytes} bytes`);
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
