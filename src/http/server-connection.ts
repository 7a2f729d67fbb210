import type { Socket } from "bun";
import type { CoarseClock } from "./coarse-clock.ts";
import { HeadReader } from "./head-reader.ts";
import { HeaderFields } from "./header-fields.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import { RequestBody } from "./request-body.ts";
import { parseRequestHead, type RequestHead } from "./request-head.ts";
import type { HeaderList, ResponseHeaders } from "./response.ts";
import { ResponseSender } from "./response-sender.ts";
import type { HttpServerLimits } from "./server.ts";
import {
  type BodyReceiver,
  CLIENT_LEFT,
  type ExchangeConnection,
  HttpExchange,
  type ResponseBodyFraming,
} from "./server-exchange.ts";
import { SocketWriter } from "./socket-writer.ts";

export interface ServerContext {
  readonly limits: () => HttpServerLimits;
  readonly handle: (exchange: HttpExchange) => void;
  readonly onError: (error: Error) => void;
  readonly onRefused: (status: number) => void;
  readonly clock: CoarseClock;
  /** For putting responses together. */
  readonly output: OutputBuffer;
  readonly isStopping: () => boolean;
}

/**
 * - `head`: between requests, or reading a request head.
 * - `exchange`: a handler has the request.
 * - `discarding`: answered; reading the rest of a short body away, behind which the next request begins.
 * - `lingering`: answered and closing, but the client may still be sending: reading its bytes away lets it see the answer,
 *   where closing at once would reset the connection under it (RFC 9112 §9.6).
 */
type Phase = "head" | "exchange" | "discarding" | "lingering" | "closed";

/** How long a client may go on sending, in all and between two pieces, after a response that closes the connection. */
const LINGER_MS = 30_000;
const LINGER_IDLE_MS = 2_000;
/** The rest of an unwanted body up to this size is read away so that the connection can live on. */
const MAX_DISCARDED_BYTES = 262_144;

/** One client connection: reads requests one after the other, hands each to the handler, and sends what it answers. */
export class ServerConnection implements ExchangeConnection {
  readonly #socket: Socket<ServerConnection>;
  readonly #context: ServerContext;
  readonly #headReader: HeadReader;
  readonly #writer: SocketWriter;
  #phase: Phase = "head";
  /** When the current wait is given up, on the coarse clock; Infinity while a handler is at work. */
  #deadline: number;
  #lingersUntil = 0;
  #pumping = false;
  /** Bytes that arrived and are not used yet: of a body nobody reads for now, or of the next request. */
  #unread: Buffer | undefined;
  #reading = true;
  #clientEnded = false;

  #exchange: HttpExchange | undefined;
  /** Undefined between requests, and when it was given up. */
  #body: RequestBody | undefined;
  #response: ResponseSender | undefined;
  #closeAfterResponse = false;

  constructor(socket: Socket<ServerConnection>, context: ServerContext) {
    const { maxHeaderBytes, keepAliveTimeoutMs } = context.limits();
    this.#socket = socket;
    this.#context = context;
    this.#headReader = new HeadReader(maxHeaderBytes);
    this.#writer = new SocketWriter(socket);
    this.#deadline = context.clock.now + keepAliveTimeoutMs;
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
    // Bun tells of a drain now and then when nothing was kept back.
    if (this.#writer.isEmpty) return;
    if (this.#writer.flush() && this.#response?.isFinished === false) this.#guard(() => this.#exchange?.onDrain());
    this.#pump();
  }

  /** The client has sent its last byte. It may still wait for the answer. */
  onEnd(): void {
    this.#clientEnded = true;
    this.#pump();
  }

  onClose(): void {
    const exchange = this.#exchange;
    const body = this.#body;
    this.#phase = "closed";
    this.#exchange = undefined;
    this.#body = undefined;
    this.#guard(() => body?.abort(CLIENT_LEFT));
    this.#guard(() => exchange?.connectionClosed());
  }

  /** Answers a client before it has asked, and closes: there is no room for it. */
  turnAway(status: number, text: string): void {
    this.#refuse(status, text, ["Retry-After", "1"]);
  }

  closeIfIdle(): void {
    if (this.#phase === "head" && !this.#headReader.started) this.#end();
  }

  terminate(): void {
    this.#socket.terminate();
  }

  /** Called every sweep: ends what has waited too long. */
  checkDeadline(): void {
    if (this.#context.clock.now < this.#deadline) return;
    this.#deadline = Number.POSITIVE_INFINITY;
    if (this.#phase === "head" && this.#headReader.started) {
      this.#refuse(408, "Request head not received in time\n");
    } else if (this.#phase !== "exchange") {
      // The client has been sent all that it is due, and may be reading it still: no reset.
      this.#end();
    } else if (this.#writer.isEmpty) {
      this.#refuse(408, "Request body not received in time\n");
    } else {
      this.terminate();
    }
    this.#pump();
  }

  startBody(receiver: BodyReceiver): void {
    const body = this.#body;
    if (body === undefined) {
      receiver.onAbort(CLIENT_LEFT);
      return;
    }
    body.start(receiver);
    if (!body.isWhole && this.#clientAwaitsContinue()) this.#writer.write(CONTINUE);
    this.#pump();
  }

  pauseBody(): void {
    this.#body?.pause();
    this.#pump();
  }

  resumeBody(): void {
    this.#body?.resume();
    this.#pump();
  }

  sendHead(status: number, reason: string | undefined, headers: ResponseHeaders, body: ResponseBodyFraming): void {
    if (this.#exchange === undefined || this.#response === undefined) return;
    const closes = this.#closeAfterResponse || this.#mustClose(this.#exchange.head);
    this.#closeAfterResponse = this.#response.begin(status, reason, headers, body, closes);
  }

  sendBody(chunk: Buffer): boolean {
    const wasEmpty = this.#writer.isEmpty;
    try {
      if (this.#response?.write(chunk) !== false) return true;
    } catch (error) {
      this.#takeFault(error);
      return true;
    }
    // From here on the client has the next move, and only so long for it.
    if (wasEmpty) this.#pump();
    return false;
  }

  finishResponse(): void {
    try {
      this.#response?.finish();
    } catch (error) {
      this.#takeFault(error);
    }
    this.#pump();
  }

  /**
   * Does whatever can be done with the bytes at hand. Everything that happens to a connection ends here, and what a handler
   * calls meanwhile only leaves work for the running loop, so that pipelined requests cannot nest.
   */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#tryStep()) {}
    this.#pumping = false;
    this.#setDeadline();
    this.#adjustReading();
  }

  #tryStep(): boolean {
    try {
      return this.#step();
    } catch (error) {
      this.#takeFault(error);
      return true;
    }
  }

  /** Returns whether something was done, so that there may be more to do. */
  #step(): boolean {
    switch (this.#phase) {
      case "head":
        return this.#stepHead();
      case "exchange":
        return this.#stepBody() || this.#stepResponse();
      case "discarding":
        return this.#stepDiscarding();
      default:
        this.#unread = undefined;
        return false;
    }
  }

  #stepHead(): boolean {
    const chunk = this.#unread;
    if (chunk === undefined) {
      if (this.#clientEnded) this.#end();
      return false;
    }
    this.#unread = undefined;
    let exchange: HttpExchange | undefined;
    try {
      exchange = this.#readHead(chunk);
    } catch (error) {
      this.#refuseSyntax(error);
    }
    if (exchange !== undefined) this.#context.handle(exchange);
    return true;
  }

  #readHead(chunk: Buffer): HttpExchange | undefined {
    const { headerTimeoutMs, maxBodyBytes } = this.#context.limits();
    const wasStarted = this.#headReader.started;
    const read = this.#headReader.read(chunk);
    if (read === undefined) {
      if (!wasStarted && this.#headReader.started) this.#deadline = this.#context.clock.now + headerTimeoutMs;
      return undefined;
    }
    if (read.offset < read.data.length) this.#unread = read.data.subarray(read.offset);
    const head = parseRequestHead(read.data, read.start, read.end);
    return this.#beginExchange(head, new RequestBody(head.framing, maxBodyBytes));
  }

  #beginExchange(head: RequestHead, body: RequestBody | undefined): HttpExchange {
    this.#phase = "exchange";
    this.#exchange = new HttpExchange(head, this);
    this.#body = body;
    this.#response = new ResponseSender(this.#writer, this.#context.output, head);
    this.#closeAfterResponse = !head.keepAlive;
    return this.#exchange;
  }

  #stepBody(): boolean {
    const body = this.#body;
    if (body === undefined || !body.isWanted) return false;
    if (body.isWhole) {
      body.end();
      return true;
    }
    const chunk = this.#unread;
    if (chunk !== undefined) {
      this.#unread = undefined;
      this.#readBody(body, chunk);
    } else if (this.#clientEnded) {
      this.#refuse(400, `${CLIENT_LEFT}\n`);
    }
    return chunk !== undefined || this.#clientEnded;
  }

  #readBody(body: RequestBody, chunk: Buffer): void {
    try {
      this.#unread = body.read(chunk);
    } catch (error) {
      this.#refuseSyntax(error);
    }
  }

  #stepResponse(): boolean {
    const exchange = this.#exchange;
    if (exchange === undefined || this.#response?.isFinished !== true || !this.#writer.isEmpty) return false;
    const body = this.#body;
    this.#exchange = undefined;
    exchange.release();
    body?.abort("The request was answered before its body was complete");
    if (this.#closeAfterResponse) this.#close(!exchange.head.keepAlive && body?.isWhole === true);
    else if (body?.isWhole === true) this.#awaitRequest();
    else this.#phase = "discarding";
    return true;
  }

  #stepDiscarding(): boolean {
    const chunk = this.#unread;
    if (this.#body === undefined || this.#body.isWhole) {
      this.#awaitRequest();
      return true;
    }
    if (chunk !== undefined) this.#unread = this.#body.read(chunk);
    else if (this.#clientEnded) this.#end();
    return chunk !== undefined;
  }

  #awaitRequest(): void {
    this.#phase = "head";
    this.#body = undefined;
    this.#response = undefined;
    this.#deadline = this.#context.clock.now + this.#context.limits().keepAliveTimeoutMs;
    if (this.#context.isStopping() && this.#unread === undefined) this.#end();
  }

  /** A request that breaks the rules is answered; anything else is a fault. */
  #refuseSyntax(error: unknown): void {
    if (!(error instanceof HttpSyntaxError)) throw error;
    this.#refuse(error.status, `${error.message}\n`);
  }

  /** Answers a request that cannot be read on, and closes: where the next one would begin is not known. */
  #refuse(status: number, text: string, headers?: HeaderList): void {
    if (this.#exchange === undefined) this.#context.onRefused(status);
    const exchange = this.#exchange ?? this.#beginExchange(UNREADABLE_REQUEST, undefined);
    const body = this.#body;
    this.#body = undefined;
    this.#closeAfterResponse = true;
    if (exchange.isOpen) exchange.respondText(status, text, headers);
    // What has begun as one answer cannot become another.
    else if (this.#response?.isFinished !== true) this.terminate();
    this.#guard(() => body?.abort(text.trimEnd()));
  }

  /** A handler threw. Its client is not left waiting, and no other client notices; an answer that was whole stands. */
  #takeFault(error: unknown): void {
    this.#context.onError(error instanceof Error ? error : new Error(String(error)));
    if (this.#exchange === undefined) this.terminate();
    else this.#refuse(500, "Internal error, see the server's log\n");
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#takeFault(error);
    }
  }

  #clientAwaitsContinue(): boolean {
    const exchange = this.#exchange;
    return exchange?.isOpen === true && exchange.head.expectsContinue && this.#unread === undefined;
  }

  /** Whether the server, for its part, has to close the connection behind the response that begins. */
  #mustClose({ framing, expectsContinue }: RequestHead): boolean {
    if (this.#context.isStopping() || (this.#clientEnded && this.#unread === undefined)) return true;
    if (this.#body?.isWhole === true) return false;
    // The client would have to send a body that nobody wants before its next request.
    const isShort = framing.kind === "length" && framing.length <= MAX_DISCARDED_BYTES;
    return !isShort || expectsContinue;
  }

  /** `isExpected`: the client asked for it and has no more to send. */
  #close(isExpected: boolean): void {
    if (this.#clientEnded || (isExpected && this.#unread === undefined)) {
      this.#end();
      return;
    }
    this.#phase = "lingering";
    this.#lingersUntil = this.#context.clock.now + LINGER_MS;
    this.#socket.shutdown();
  }

  #end(): void {
    this.#phase = "closed";
    this.#socket.end();
  }

  /** Gives the client so long for its next move, counted from its last. */
  #setDeadline(): void {
    const { now } = this.#context.clock;
    if (this.#phase === "exchange") {
      const isBodyDue = this.#body?.isWanted === true && !this.#body.isWhole;
      const isClientsMove = isBodyDue || !this.#writer.isEmpty;
      this.#deadline = isClientsMove ? now + this.#context.limits().bodyIdleTimeoutMs : Number.POSITIVE_INFINITY;
    } else if (this.#phase === "discarding") {
      this.#deadline = now + this.#context.limits().bodyIdleTimeoutMs;
    } else if (this.#phase === "lingering") {
      this.#deadline = Math.min(this.#lingersUntil, now + LINGER_IDLE_MS);
    }
  }

  /** Holds back a client that sends ahead of what is used: the bytes wait in the socket, not in memory. */
  #adjustReading(): void {
    const isHeldBack = this.#phase === "exchange" && this.#unread !== undefined;
    if (isHeldBack !== this.#reading) return;
    this.#reading = !isHeldBack;
    if (isHeldBack) this.#socket.pause();
    else this.#socket.resume();
  }
}

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** Stands for a request whose head could not be read. */
const UNREADABLE_REQUEST: RequestHead = {
  method: "",
  target: "",
  minorVersion: 1,
  fields: HeaderFields.parse(Buffer.alloc(0), 0, 0),
  connectionOptions: ["close"],
  framing: { kind: "until-close" },
  keepAlive: false,
  expectsContinue: false,
};
