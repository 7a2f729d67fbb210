import type { Socket } from "bun";
import { type BodyDecoder, createBodyDecoder } from "./body-decoder.ts";
import { HeadReader } from "./head-reader.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";
import { SocketWriter } from "./socket-writer.ts";

/** Takes one response. Exactly one of onResponseEnd and onFailure is called, once, and nothing after it. */
export interface ResponseReceiver {
  onResponseHead(head: ResponseHead): void;
  /** The chunk may be kept. */
  onResponseData(chunk: Buffer): void;
  onResponseEnd(): void;
  onFailure(error: ConnectionError): void;
  /** The server has taken what `write` had to keep back. */
  onDrain(): void;
}

/**
 * Why an exchange failed.
 *
 * - `refused`: no connection came about. Not a byte of the request has been sent.
 * - `lost`: the connection ended before a byte of the response. The server may have acted on the request.
 * - `cut`: the connection ended within the response.
 * - `malformed`: the response breaks HTTP.
 */
export class ConnectionError extends Error {
  override name = "ConnectionError" as const;
  readonly kind: "refused" | "lost" | "cut" | "malformed";
  /** The operating system's name for it, as `ECONNREFUSED`; else its message. */
  readonly code: string;

  constructor(kind: ConnectionError["kind"], message: string, cause?: Error) {
    super(message, { cause });
    this.kind = kind;
    this.code = cause === undefined ? message : codeOf(cause);
  }
}

/** Longest response head that is read. Pushgateway's are under 300 bytes. */
const MAX_RESPONSE_HEAD_BYTES = 65_536;

/**
 * One HTTP/1.1 connection to a server, carrying one exchange at a time. It has no deadlines of its own: whoever waits for
 * it keeps the time and calls `destroy`.
 */
export class ClientConnection {
  /** Called when the connection can carry another exchange, once after each that ended well. */
  onIdle: () => void = () => {};
  /** Called once when the connection is gone, after the failure of the exchange that was on it. */
  onClose: () => void = () => {};

  readonly #headReader = new HeadReader(MAX_RESPONSE_HEAD_BYTES);
  readonly #bodySink = { onData: (chunk: Buffer) => this.#receiver?.onResponseData(chunk) };
  #socket: Socket<ClientConnection> | undefined;
  #writer: SocketWriter | undefined;
  #closed = false;
  #receiver: ResponseReceiver | undefined;
  #method = "";
  #head: ResponseHead | undefined;
  #decoder: BodyDecoder | undefined;
  #requestSent = false;
  #paused = false;

  /**
   * Connects and then calls `onConnect`, or `onFailure` with kind `refused`, unless `destroy` comes first.
   */
  static open(
    host: string,
    port: number,
    onConnect: (connection: ClientConnection) => void,
    onFailure: (error: ConnectionError) => void,
  ): ClientConnection {
    const connection = new ClientConnection();
    connection.#connect(host, port, onConnect, onFailure);
    return connection;
  }

  #connect(
    host: string,
    port: number,
    onConnect: (connection: ClientConnection) => void,
    onFailure: (error: ConnectionError) => void,
  ): void {
    Bun.connect<ClientConnection>({ hostname: host, port, data: this, socket: SOCKET_HANDLERS }).then(
      (socket) => {
        if (this.#closed) {
          socket.terminate();
          return;
        }
        this.#socket = socket;
        this.#writer = new SocketWriter(socket);
        onConnect(this);
      },
      (error: Error) => {
        if (this.#closed) return;
        this.#closed = true;
        onFailure(new ConnectionError("refused", `Cannot connect to ${host}:${port}: ${codeOf(error)}`, error));
      },
    );
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /**
   * Starts an exchange with the request's head and as much of its body as is at hand. `whole`: there is no more to come.
   * The buffer can be used for something else afterwards.
   * Returns false when the server is slow to take it; see ResponseReceiver.onDrain.
   */
  send(method: string, request: OutputBuffer, whole: boolean, receiver: ResponseReceiver): boolean {
    this.#method = method;
    this.#head = undefined;
    this.#decoder = undefined;
    this.#requestSent = whole;
    this.#receiver = receiver;
    return this.#writer?.writeOutput(request) ?? false;
  }

  /** Sends more of the request's body, framed as the head has announced it. */
  write(bytes: Buffer): boolean {
    return this.#writer?.write(bytes) ?? false;
  }

  /** The request has been handed over in full, so the connection can be used again after the response. */
  finishRequest(): void {
    this.#requestSent = true;
  }

  /** Stops reading the response, so that the server feels back-pressure. */
  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket?.resume();
  }

  /** Cuts the connection. The exchange on it is forgotten: its receiver hears nothing more. */
  destroy(): void {
    this.#receiver = undefined;
    const wasClosed = this.#closed;
    this.#closed = true;
    this.#socket?.terminate();
    if (!wasClosed) this.onClose();
  }

  /** For the socket. */
  handleData(chunk: Buffer): void {
    if (this.#closed) return;
    if (this.#receiver === undefined) {
      // Nobody asked. Whatever it is, it must not be taken for the answer to the next request.
      this.destroy();
      return;
    }
    try {
      this.#read(chunk);
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      this.#fail(new ConnectionError("malformed", error.message, error));
    }
  }

  handleDrain(): void {
    // Bun tells of a drain now and then when nothing was kept back.
    if (this.#writer === undefined || this.#writer.isEmpty) return;
    if (this.#writer.flush()) this.#receiver?.onDrain();
  }

  handleClose(error: Error | undefined): void {
    if (this.#closed) return;
    if (error === undefined && this.#head?.framing.kind === "until-close" && this.#decoder?.finish() === true) {
      this.#complete();
      return;
    }
    const reason = error === undefined ? "closed by the server" : codeOf(error);
    const started = this.#head !== undefined || this.#headReader.started;
    this.#fail(new ConnectionError(started ? "cut" : "lost", `Connection ${reason}`, error));
  }

  #read(chunk: Buffer): void {
    let data = chunk;
    let offset = 0;
    while (this.#head === undefined) {
      const read = this.#headReader.read(offset === 0 ? data : data.subarray(offset));
      if (read === undefined) return;
      ({ data, offset } = read);
      this.#takeHead(parseResponseHead(data, read.start, read.end, this.#method));
    }
    const decoder = this.#decoder as BodyDecoder;
    offset = decoder.decode(data, offset, this.#bodySink);
    if (!decoder.done) return;
    if (offset < data.length) throw new HttpSyntaxError(502, "Malformed HTTP response: bytes behind its end");
    this.#complete();
  }

  #takeHead(head: ResponseHead): void {
    // Interim responses are ours to swallow: we never ask for 100 and never offer to switch protocols (RFC 9110 §15.2).
    if (head.status === 101) throw new HttpSyntaxError(502, "Malformed HTTP response: unasked 101 Switching Protocols");
    if (head.status < 200) return;
    this.#head = head;
    this.#decoder = createBodyDecoder(head.framing);
    this.#receiver?.onResponseHead(head);
  }

  #complete(): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    // Whoever paused for the end of this response will not resume for the next one.
    this.resume();
    // A server that answers before it has read the request will not find the next one in what it has left unread.
    const reusable = this.#head?.keepAlive === true && this.#requestSent && this.#writer?.isEmpty === true;
    if (!reusable) this.destroy();
    receiver?.onResponseEnd();
    if (!this.#closed && this.#receiver === undefined) this.onIdle();
  }

  #fail(error: ConnectionError): void {
    const receiver = this.#receiver;
    this.destroy();
    receiver?.onFailure(error);
  }
}

const SOCKET_HANDLERS = {
  data: (socket: Socket<ClientConnection>, chunk: Buffer) => socket.data.handleData(chunk),
  drain: (socket: Socket<ClientConnection>) => socket.data.handleDrain(),
  close: (socket: Socket<ClientConnection>, error?: Error) => socket.data.handleClose(error),
  // The promise of Bun.connect tells of it too; without this handler it would count as unhandled.
  connectError: () => {},
};

function codeOf(error: Error): string {
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
