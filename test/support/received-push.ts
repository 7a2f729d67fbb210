import { createHash } from "node:crypto";
import type { Socket } from "node:net";

/** Bytes of a body that are kept to be looked at; its hash and length take in all of it. */
const KEPT_BODY_BYTES = 1_048_576;

/** A request as it came over the wire, answered as the test likes: properly, badly, or not at all. */
export class ReceivedPush {
  /** Request line and header lines as they came, as a byte string, without the empty line. */
  readonly head: string;
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;
  /** Length of the body so far, its framing taken off. */
  bodyBytes = 0;
  /** Whether the whole body has come. */
  isComplete = false;
  readonly #socket: Socket;
  readonly #hash = createHash("sha256");
  #kept = "";

  constructor(head: string, socket: Socket, closed: Promise<void>) {
    this.head = head;
    this.#socket = socket;
    this.closed = closed;
  }

  /** METHOD TARGET VERSION */
  get requestLine(): string {
    return this.head.slice(0, this.head.indexOf("\r\n"));
  }

  /** In the order and spelling of the wire. */
  get headerLines(): readonly string[] {
    return this.head.split("\r\n").slice(1);
  }

  /** The first value of a header. */
  header(name: string): string | undefined {
    const line = this.headerLines.find((known) => known.toLowerCase().startsWith(`${name.toLowerCase()}:`));
    return line?.slice(name.length + 1).trim();
  }

  /** The beginning of the body, as a byte string. */
  get body(): string {
    return this.#kept;
  }

  /** Of the body so far. Can be asked for once. */
  sha256(): string {
    return this.#hash.digest("hex");
  }

  take(bytes: Buffer): void {
    this.bodyBytes += bytes.length;
    this.#hash.update(bytes);
    if (this.#kept.length < KEPT_BODY_BYTES) this.#kept += bytes.toString("latin1");
  }

  respond(status = 200, text = "", headers = ""): void {
    this.write(`HTTP/1.1 ${status} Whatever\r\nContent-Length: ${Buffer.byteLength(text)}\r\n${headers}\r\n${text}`);
  }

  /** Sends exactly these bytes; a string is sent as UTF-8. */
  write(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Sends nothing more and takes nothing more. */
  close(): void {
    this.#socket.end();
    this.#socket.resume();
  }

  /** Drops the connection with a reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Reads no more of the body, so that the sender is held back. */
  stopReading(): void {
    this.#socket.pause();
  }

  goOnReading(): void {
    this.#socket.resume();
  }
}

/** Cuts a connection's bytes into requests. Knows just enough HTTP to read what a proxy writes, and is no part of that proxy. */
export class RequestReader {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  readonly #onHead: (push: ReceivedPush) => void;
  readonly #onWhole: (push: ReceivedPush) => void;
  #unread: Buffer = Buffer.alloc(0);
  #push: ReceivedPush | undefined;
  /** Bytes of the body, or of the current chunk, that are still to come. */
  #left = 0;
  #isChunked = false;
  #isPastChunks = false;

  constructor(socket: Socket, onHead: (push: ReceivedPush) => void, onWhole: (push: ReceivedPush) => void) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      socket.once("close", () => resolve());
    });
    this.#onHead = onHead;
    this.#onWhole = onWhole;
  }

  read(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    while (this.#push === undefined ? this.#readHead() : this.#readBody(this.#push)) {}
  }

  #readHead(): boolean {
    const head = this.#through("\r\n\r\n");
    if (head === undefined) return false;
    this.#push = new ReceivedPush(head.toString("latin1", 0, head.length - 4), this.#socket, this.#closed);
    this.#isChunked = this.#push.header("Transfer-Encoding") === "chunked";
    this.#left = Number(this.#push.header("Content-Length") ?? 0);
    this.#onHead(this.#push);
    return true;
  }

  #readBody(push: ReceivedPush): boolean {
    const data = this.#unread.subarray(0, this.#left);
    this.#unread = this.#unread.subarray(data.length);
    this.#left -= data.length;
    if (data.length > 0) push.take(data);
    if (this.#left > 0) return false;
    return this.#isChunked ? this.#readChunkSize(push) : this.#finish(push);
  }

  #readChunkSize(push: ReceivedPush): boolean {
    if (this.#isPastChunks) return this.#through("\r\n") !== undefined && this.#finish(push);
    // Behind the data of a chunk stands a line end of its own.
    if (this.#unread.subarray(0, 2).toString() === "\r\n") this.#unread = this.#unread.subarray(2);
    const line = this.#through("\r\n");
    if (line === undefined) return false;
    this.#left = Number.parseInt(line.toString("latin1"), 16);
    if (Number.isNaN(this.#left)) throw new Error(`Cannot read a chunk size: "${line.toString("latin1")}"`);
    this.#isPastChunks = this.#left === 0;
    return true;
  }

  #finish(push: ReceivedPush): boolean {
    this.#push = undefined;
    this.#isPastChunks = false;
    this.#onWhole(push);
    return this.#unread.length > 0;
  }

  #through(mark: string): Buffer | undefined {
    const at = this.#unread.indexOf(mark);
    if (at === -1) return undefined;
    const taken = this.#unread.subarray(0, at + mark.length);
    this.#unread = this.#unread.subarray(taken.length);
    return taken;
  }
}
