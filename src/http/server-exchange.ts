import type { RequestHead } from "./request-head.ts";
import { type HeaderList, PLAIN_TEXT, type ResponseHeaders } from "./response.ts";
import type { ResponseHead } from "./response-head.ts";

/** What onAbort is told when it was the client that went away, rather than the server that refused the body. */
export const CLIENT_LEFT = "The client closed the connection before the body was complete";

/** Takes a request's body. Exactly one of onEnd and onAbort is called, once, and nothing after it. */
export interface BodyReceiver {
  /** The chunk may be kept. One more may come after pauseBody: what had been read by then. */
  onData(chunk: Buffer): void;
  /** The whole body has arrived. */
  onEnd(): void;
  /**
   * The body will never be whole: the client went away, broke the framing or a limit, or stalled. Whatever was made of the
   * bytes so far must be given up. If the client can still be told, it has been.
   */
  onAbort(reason: string): void;
}

/** What an exchange needs of its connection. */
export interface ExchangeConnection {
  readonly remoteAddress: string;
  /** The current time as the Date header wants it. */
  readonly httpDate: string;
  startBody(receiver: BodyReceiver): void;
  pauseBody(): void;
  resumeBody(): void;
  sendHead(status: number, reason: string | undefined, headers: ResponseHeaders, body: ResponseBodyFraming): void;
  sendBody(chunk: Buffer): boolean;
  finishResponse(): void;
  terminate(): void;
}

/** How a response's body is delimited. A body of unknown length is chunked, or ends with the connection for HTTP/1.0. */
export type ResponseBodyFraming = { readonly length: number } | "unknown-length" | "no-body";

/**
 * One request and its response. The handler reads the body or not, as it likes, and answers once: with `respond`, or with
 * `begin` or `passOn`, `write` and `end`. A body that was not read is discarded, or the connection closes.
 */
export class HttpExchange {
  readonly head: RequestHead;
  readonly #connection: ExchangeConnection;
  #state: "open" | "responding" | "finished" = "open";
  #isReleased = false;
  #status = 0;
  /** Called when the client has taken what `write` had to keep back. */
  onDrain: () => void = NOTHING;
  /** Called when the connection ends before the response does, by whoever but `abort`. */
  onClose: () => void = NOTHING;

  constructor(head: RequestHead, connection: ExchangeConnection) {
    this.head = head;
    this.#connection = connection;
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress;
  }

  /** Status of the response that was begun; 0 before that. */
  get status(): number {
    return this.#status;
  }

  /** Whether no byte of a response has been sent, so that one still can be. */
  get isOpen(): boolean {
    return this.#state === "open";
  }

  /**
   * Starts reading the body, after telling a client that waits for it to go on (RFC 9110 §10.1.1). Call it once. The receiver
   * may hear everything before this returns. When the exchange is over, it hears onAbort.
   */
  receiveBody(receiver: BodyReceiver): void {
    if (this.#isReleased) receiver.onAbort("The exchange is over");
    else this.#connection.startBody(receiver);
  }

  /** Stops reading the body from the client, which then feels back-pressure. */
  pauseBody(): void {
    if (!this.#isReleased) this.#connection.pauseBody();
  }

  resumeBody(): void {
    if (!this.#isReleased) this.#connection.resumeBody();
  }

  /** Answers in one go. Does nothing when the exchange is over or a response has begun. */
  respond(status: number, headers: HeaderList, body: Buffer | string): void {
    if (this.#state !== "open") return;
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    this.#begin(status, undefined, { list: headers, date: this.#connection.httpDate }, { length: bytes.length });
    if (bytes.length > 0 && this.head.method !== "HEAD") this.write(bytes);
    this.end();
  }

  /** Answers with a line of text. */
  respondText(status: number, text: string, headers: HeaderList = []): void {
    this.respond(status, [...headers, ...PLAIN_TEXT], text);
  }

  /** Answers 500 with a line of text; cuts off a response that has begun, so that the client does not wait for the rest. */
  fail(text: string): void {
    if (this.#state === "responding") this.abort();
    else this.respondText(500, text);
  }

  /** Begins a response whose body follows by `write`, framed as `body` says. */
  begin(status: number, headers: HeaderList, body: ResponseBodyFraming): void {
    if (this.#state !== "open") return;
    this.#begin(status, undefined, { list: headers, date: this.#connection.httpDate }, body);
  }

  /**
   * Begins a response with the status line of another server's and those of its header fields that may pass on. The body
   * follows by `write`, framed as `body` says.
   */
  passOn({ status, reason, fields, connectionOptions }: ResponseHead, body: ResponseBodyFraming): void {
    if (this.#state === "open") this.#begin(status, reason, { passedOn: fields, connectionOptions }, body);
  }

  #begin(status: number, reason: string | undefined, headers: ResponseHeaders, body: ResponseBodyFraming): void {
    this.#state = "responding";
    this.#status = status;
    this.#connection.sendHead(status, reason, headers, body);
  }

  /**
   * Sends a piece of the body; drops it when the exchange is over, or the response can have no body. False: the client is slow,
   * wait for onDrain.
   */
  write(chunk: Buffer): boolean {
    return this.#state === "responding" ? this.#connection.sendBody(chunk) : true;
  }

  /** Ends the response. A body shorter than announced is a fault that costs the connection. */
  end(): void {
    if (this.#state !== "responding") return;
    this.#state = "finished";
    this.#connection.finishResponse();
  }

  /** Ends the connection without a proper end, so that the client sees that the response is not whole. */
  abort(): void {
    this.#state = "finished";
    if (!this.#isReleased) this.#connection.terminate();
  }

  /** For the connection: it has nothing more to do with this exchange. */
  release(): void {
    this.#isReleased = true;
  }

  /** For the connection: the client is gone. */
  connectionClosed(): void {
    this.#isReleased = true;
    if (this.#state === "finished") return;
    this.#state = "finished";
    this.onClose();
  }
}

const NOTHING = () => {};
