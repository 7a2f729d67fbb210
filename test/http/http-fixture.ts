import { parseResponseHead } from "../../src/http/response-head.ts";
import { HttpServer, type HttpServerLimits } from "../../src/http/server.ts";
import type { BodyReceiver, HttpExchange, ResponseBodyFraming } from "../../src/http/server-exchange.ts";

/** Wide enough that a test meets only the limit that it narrows. */
const LIMITS: HttpServerLimits = {
  maxHeaderBytes: 65_536,
  maxBodyBytes: 0,
  maxConnections: 1_000,
  headerTimeoutMs: 60_000,
  bodyIdleTimeoutMs: 60_000,
  keepAliveTimeoutMs: 60_000,
};

/** A server on a free port. Going out of scope it is stopped, and throws if it met an exception that no test took. */
export class TestServer implements AsyncDisposable {
  readonly http: HttpServer;
  readonly address: string;
  /** What onRefused was told. */
  readonly refused: number[] = [];
  readonly #errors: Error[] = [];

  constructor(handle: (exchange: HttpExchange) => void, limits: Partial<HttpServerLimits> = {}) {
    this.http = new HttpServer({
      hostname: "127.0.0.1",
      port: 0,
      limits: { ...LIMITS, ...limits },
      handle,
      onError: (error) => this.#errors.push(error),
      onRefused: (status) => this.refused.push(status),
    });
    this.address = `127.0.0.1:${this.http.port}`;
  }

  /** Messages of what onError was told since the last call. */
  takeErrors(): string[] {
    return this.#errors.splice(0).map((error) => error.message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.http.stop(0);
    if (this.#errors.length > 0) throw new AggregateError(this.#errors, "The server met exceptions");
  }
}

/** Receives a body, and notes what it is told. */
export class RecordingReceiver implements BodyReceiver {
  readonly chunks: Buffer[] = [];
  /** `end`, or `abort: ` and the reason. */
  readonly endings: string[] = [];
  /** Called after the note is taken. */
  readonly #onEnding: (receiver: RecordingReceiver) => void;

  constructor(onEnding: (receiver: RecordingReceiver) => void = () => {}) {
    this.#onEnding = onEnding;
  }

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  onData(chunk: Buffer): void {
    if (this.endings.length > 0) throw new Error("Cannot take data: the body has ended");
    this.chunks.push(chunk);
  }

  onEnd(): void {
    this.endings.push("end");
    this.#onEnding(this);
  }

  onAbort(reason: string): void {
    this.endings.push(`abort: ${reason}`);
    this.#onEnding(this);
  }
}

/** Answers 200 with method, target and body, in bytes as they came. */
export function echo(exchange: HttpExchange): void {
  exchange.receiveBody(
    new RecordingReceiver((receiver) => {
      if (receiver.endings[0] !== "end") return;
      const { method, target } = exchange.head;
      exchange.respond(200, [], Buffer.concat([Buffer.from(`${method} ${target} `, "latin1"), receiver.body]));
    }),
  );
}

/** Begins a response as a proxy does, with the head of an upstream's. */
export function begin(
  exchange: HttpExchange,
  body: ResponseBodyFraming,
  statusLine = "HTTP/1.1 200 OK",
  ...lines: string[]
): void {
  const head = [statusLine, ...lines].join("\r\n");
  const bytes = Buffer.from(`${head}\r\n\r\n`, "latin1");
  exchange.passOn(parseResponseHead(bytes, 0, head.length, exchange.head.method), body);
}

/** A request with a body of a known length, or without one. */
export function request(method: string, target: string, body?: string, ...headerLines: string[]): string {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return `${[`${method} ${target} HTTP/1.1`, "Host: router", ...length, ...headerLines].join("\r\n")}\r\n\r\n${body ?? ""}`;
}

/** Lets sockets be read and written a few times, so that what is sent next comes in a piece of its own as a rule. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}
