import type { Socket, TCPSocketListener } from "bun";
import { CoarseClock } from "./coarse-clock.ts";
import { listen } from "./listen.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { ServerConnection, type ServerContext } from "./server-connection.ts";
import type { HttpExchange } from "./server-exchange.ts";

/** Bounds on what one client, and all clients together, can take. */
export interface HttpServerLimits {
  /** Longest request line and header section; beyond it 431. */
  readonly maxHeaderBytes: number;
  /** Longest request body; beyond it 413. 0 means no limit: bodies are streamed, so a long one costs no memory. */
  readonly maxBodyBytes: number;
  /** Open connections; one more is answered 503 and closed. */
  readonly maxConnections: number;
  /** From the first byte of a head to its last; beyond it 408. */
  readonly headerTimeoutMs: number;
  /** Without a byte of a request body, or without the client taking a byte of the response; beyond it 408, or the connection ends. */
  readonly bodyIdleTimeoutMs: number;
  /** How long an idle connection is kept. Longer than clients keep theirs (Go: 90 s), so that they close first. */
  readonly keepAliveTimeoutMs: number;
}

export interface HttpServerOptions {
  /** Empty: every interface. */
  readonly hostname: string;
  /** 0: any free port; `HttpServer.port` tells which. */
  readonly port: number;
  readonly limits: HttpServerLimits;
  /** Called once for each request, as soon as its head is read. It must see to it that the exchange is answered. */
  readonly handle: (exchange: HttpExchange) => void;
  /** Told of an exception that a handler did not catch: a fault of this program. The client gets a 500 if it still can. */
  readonly onError: (error: Error) => void;
  /** Told of the status that a request was refused with before there was an exchange to handle. Must not throw. */
  readonly onRefused: (status: number) => void;
}

/**
 * HTTP/1.1 over raw sockets. Of the servers that come with Bun, `Bun.serve` does not give the request target as it was sent,
 * and asks for a body before a redirect can go out; `node:http` costs three times as much for each push: docs/adr/0004.
 *
 * One request at a time on each connection; further ones wait in the socket. Keeps time in steps of a quarter second.
 */
export class HttpServer {
  readonly #listener: TCPSocketListener<ServerConnection>;
  readonly #connections = new Set<ServerConnection>();
  readonly #context: ServerContext;
  readonly #sweeper: Timer;
  readonly #emptied = Promise.withResolvers<void>();
  #limits: HttpServerLimits;
  #isStopping = false;

  /** Throws when the address cannot be bound. */
  constructor(options: HttpServerOptions) {
    const { handle, onError, onRefused } = options;
    const clock = new CoarseClock();
    this.#limits = options.limits;
    this.#context = {
      handle,
      onError,
      onRefused,
      clock,
      output: new OutputBuffer(),
      limits: () => this.#limits,
      isStopping: () => this.#isStopping,
    };
    this.#listener = listen<ServerConnection>({
      hostname: options.hostname,
      port: options.port,
      allowHalfOpen: true,
      socket: {
        open: (socket) => this.#accept(socket),
        // A socket that was not accepted has no data.
        data: (socket, chunk) => socket.data?.onData(chunk),
        drain: (socket) => socket.data?.onDrain(),
        end: (socket) => socket.data?.onEnd(),
        close: (socket) => this.#forget(socket.data),
        error: (socket, error) => {
          socket.terminate();
          onError(error);
        },
      },
    });
    this.#sweeper = setInterval(() => {
      clock.tick();
      for (const connection of this.#connections) connection.checkDeadline();
    }, SWEEP_INTERVAL_MS);
  }

  get hostname(): string {
    return this.#listener.hostname;
  }

  get port(): number {
    return this.#listener.port;
  }

  /** Uses other limits from the next wait or request on; the length of heads is fixed when a connection opens. */
  setLimits(limits: HttpServerLimits): void {
    this.#limits = limits;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /**
   * Stops accepting at once, closes idle connections, lets running exchanges finish and tells their clients that the
   * connection closes. What still runs after `graceMs` is cut. Resolves when no connection is left.
   */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    this.#listener.stop();
    for (const connection of this.#connections) connection.closeIfIdle();
    if (this.#connections.size === 0) this.#emptied.resolve();
    const cut = setTimeout(() => {
      for (const connection of this.#connections) connection.terminate();
    }, graceMs);
    await this.#emptied.promise;
    clearTimeout(cut);
    clearInterval(this.#sweeper);
  }

  #accept(socket: Socket<ServerConnection>): void {
    const { maxConnections } = this.#limits;
    const surplus = this.#connections.size - maxConnections;
    if (surplus >= MAX_TURNING_AWAY) {
      socket.terminate();
      return;
    }
    socket.data = new ServerConnection(socket, this.#context);
    this.#connections.add(socket.data);
    if (surplus >= 0) socket.data.turnAway(503, `Too many connections: limit is ${maxConnections}\n`);
  }

  #forget(connection: ServerConnection | undefined): void {
    if (connection === undefined) return;
    this.#connections.delete(connection);
    connection.onClose();
    if (this.#isStopping && this.#connections.size === 0) this.#emptied.resolve();
  }
}

const SWEEP_INTERVAL_MS = 250;
/** Connections beyond the limit that are being told so at the same time; any more are cut without a word. */
const MAX_TURNING_AWAY = 64;
