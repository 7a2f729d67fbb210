import { connect, type Socket } from "node:net";

export interface RawResponse {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** In the order and case of the wire, duplicates kept. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Statuses of interim answers (100 Continue, say) that came before. */
  readonly interim: readonly number[];
  readonly body: Uint8Array;
  /** The body as UTF-8. */
  text(): string;
  /** The first value of a header, whatever the case of its name. */
  header(name: string): string | undefined;
}

export interface RawOptions {
  /** For every single wait: connecting, and each answer; 10 s when absent. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Sends exactly these bytes on a connection of its own and reads one answer. For targets and framings that an HTTP client
 * would mend or refuse. A string is sent as UTF-8.
 */
export async function rawRequest(
  address: string,
  bytes: string | Uint8Array,
  options: RawOptions = {},
): Promise<RawResponse> {
  await using connection = await RawConnection.open(address, options);
  // Not awaited: a server may answer, and stop reading, before it has taken all of it.
  void connection.write(bytes);
  const isHead = Buffer.from(bytes.slice(0, 5)).toString() === "HEAD ";
  return await connection.readResponse({ isHead });
}

/** A TCP connection that speaks HTTP/1.1 byte by byte: keep-alive, pipelining, half a request, aborts. */
export class RawConnection implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  #received: Buffer = Buffer.alloc(0);
  #ended = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on("error", (error) => {
      this.#failure = error;
      this.#wake();
    });
    socket.on("close", () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** Connects to host:port. */
  static async open(address: string, options: RawOptions = {}): Promise<RawConnection> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const colon = address.lastIndexOf(":");
    const socket = connect({
      host: address.slice(0, colon),
      port: Number(address.slice(colon + 1)),
      allowHalfOpen: true,
    });
    socket.setNoDelay(true);
    const connection = new RawConnection(socket, timeoutMs);
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`Cannot connect to "${address}": no answer in ${timeoutMs} ms`)),
        timeoutMs,
      );
      socket.once("connect", resolve);
      socket.once("error", reject);
      socket.once("close", () => clearTimeout(timer));
      socket.once("connect", () => clearTimeout(timer));
    });
    return connection;
  }

  /** Sends bytes as they are; resolves once the kernel has them. */
  async write(bytes: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** Says that nothing more will be sent; answers can still be read. */
  end(): void {
    this.#socket.end();
  }

  /** Reads nothing more, so that the other side is held back, until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Drops the connection with a reset, as a crashed client does. */
  abort(): void {
    this.#socket.resetAndDestroy();
  }

  /** Reads the head of an answer and returns its status. What comes behind it, another answer say, is still to be read. */
  async readStatus(): Promise<number> {
    return parseHead(await this.#readThrough("\r\n\r\n")).status;
  }

  /** Reads the next answer; interim ones are noted on it. Throws when the connection ends before it is whole. */
  async readResponse(options: { readonly isHead?: boolean } = {}): Promise<RawResponse> {
    const interim: number[] = [];
    for (;;) {
      const head = parseHead(await this.#readThrough("\r\n\r\n"));
      if (head.status >= 100 && head.status < 200 && head.status !== 101) {
        interim.push(head.status);
        continue;
      }
      const hasBody = !options.isHead && head.status !== 204 && head.status !== 304;
      const body = hasBody ? await this.#readBody(head) : new Uint8Array();
      return {
        ...head,
        interim,
        body,
        text: () => Buffer.from(body).toString(),
        header: (name) => headerOf(head, name),
      };
    }
  }

  /** Waits until the other side has closed the connection and returns what it sent before and nobody has read. */
  async readToEnd(): Promise<Uint8Array> {
    await this.#until("the end of the connection", () => this.#ended || this.#failure !== undefined);
    return this.#take(this.#received.length);
  }

  /** Waits until the other side has closed the connection and says how; what it sent before can still be read. */
  async ending(): Promise<"closed" | "reset"> {
    await this.#until("the end of the connection", () => this.#ended || this.#failure !== undefined);
    return this.#failure === undefined ? "closed" : "reset";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    await Promise.resolve();
  }

  async #readBody(head: Head): Promise<Uint8Array> {
    if (headerOf(head, "transfer-encoding")?.toLowerCase() === "chunked") return await this.#readChunks();
    const length = headerOf(head, "content-length");
    return length === undefined ? await this.readToEnd() : await this.#read(Number(length));
  }

  async #readChunks(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for (;;) {
      const size = Number.parseInt((await this.#readThrough("\r\n")).toString(), 16);
      if (size === 0) break;
      chunks.push(await this.#read(size));
      await this.#readThrough("\r\n");
    }
    // Trailers, if any, end as the head does: with an empty line.
    while ((await this.#readThrough("\r\n")).length > 2);
    return Buffer.concat(chunks);
  }

  async #readThrough(mark: string): Promise<Buffer> {
    await this.#until(JSON.stringify(mark), () => this.#received.includes(mark));
    return this.#take(this.#received.indexOf(mark) + mark.length);
  }

  async #read(length: number): Promise<Buffer> {
    await this.#until(`${length} bytes of body`, () => this.#received.length >= length);
    return this.#take(length);
  }

  #take(length: number): Buffer {
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }

  async #until(what: string, satisfied: () => boolean): Promise<void> {
    let expired = false;
    const timer = setTimeout(() => {
      expired = true;
      this.#wake();
    }, this.#timeoutMs);
    try {
      while (!satisfied()) {
        if (expired) throw new Error(`Cannot read ${what}: nothing came for ${this.#timeoutMs} ms; ${this.#heard()}`);
        if (this.#failure !== undefined)
          throw new Error(`Cannot read ${what}: ${this.#failure.message}; ${this.#heard()}`);
        if (this.#ended) throw new Error(`Cannot read ${what}: the connection was closed; ${this.#heard()}`);
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #heard(): string {
    return `unread: ${JSON.stringify(this.#received.subarray(0, 500).toString("latin1"))}`;
  }
}

type Head = Pick<RawResponse, "version" | "status" | "reason" | "headers">;

function parseHead(bytes: Buffer): Head {
  const [statusLine = "", ...lines] = bytes.toString("latin1").trimEnd().split("\r\n");
  const match = /^(HTTP\/\d\.\d) (\d{3})(?: (.*))?$/.exec(statusLine);
  if (match === null) throw new Error(`Cannot read the answer "${statusLine}": it has no HTTP status line`);
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  return { version: match[1] ?? "", status: Number(match[2]), reason: match[3] ?? "", headers };
}

function headerOf(head: Head, name: string): string | undefined {
  return head.headers.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1];
}
