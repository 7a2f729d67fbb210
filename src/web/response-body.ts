import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import type { HttpExchange } from "../http/server-exchange.ts";

/** A shorter body gains nothing by gzip. */
const MIN_GZIP_BYTES = 1_400;
/** So much goes to gzip, or to the socket, at once. */
const MAX_PIECE_BYTES = 262_144;
/** The members' numbers shrink to a tenth at once; trying harder costs more than it saves. */
const GZIP_LEVEL = 1;

/** The sending side of an exchange whose body comes bit by bit, at the pace of the client. */
export class ResponseBody {
  readonly #exchange: HttpExchange;
  readonly #abort = new AbortController();
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(exchange: HttpExchange) {
    this.#exchange = exchange;
    exchange.onDrain = () => this.#drained?.resolve();
    exchange.onClose = () => {
      this.#abort.abort(new Error("The client closed the connection"));
      this.#drained?.resolve();
    };
  }

  /** Aborted when the client is gone, so that nobody works for it any more. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Sends a piece, and waits until the client can take more. Rejects when the client is gone. */
  async write(piece: Buffer): Promise<void> {
    this.signal.throwIfAborted();
    if (this.#exchange.write(piece)) return;
    this.#drained = Promise.withResolvers();
    await this.#drained.promise;
    this.#drained = undefined;
    this.signal.throwIfAborted();
  }
}

/** Answers 200 with a body that is at hand in pieces, in gzip for a client that takes it and if it is worth it. */
export async function respondInPieces(
  exchange: HttpExchange,
  body: ResponseBody,
  headers: readonly string[],
  { pieces, length }: { readonly pieces: readonly Buffer[]; readonly length: number },
): Promise<void> {
  const vary = [...headers, "Vary", "Accept-Encoding"];
  if (length < MIN_GZIP_BYTES || !takesGzip(exchange)) {
    exchange.begin(200, vary, { length });
    for (const piece of pieces) await body.write(piece);
  } else {
    exchange.begin(200, [...vary, "Content-Encoding", "gzip"], "unknown-length");
    if (exchange.head.method !== "HEAD") for await (const piece of gzip(pieces)) await body.write(piece);
  }
  exchange.end();
}

function takesGzip(exchange: HttpExchange): boolean {
  const codings = Array.from(exchange.head.fields.values("accept-encoding"), (value) => value.split(",")).flat();
  return codings.some((coding) => {
    const [name = "", ...parameters] = coding.split(";").map((part) => part.trim().toLowerCase());
    return (
      (name === "gzip" || name === "x-gzip" || name === "*") && !parameters.some((part) => /^q=0(\.0*)?$/.test(part))
    );
  });
}

/** Works in another thread, so that it holds nobody up. */
function gzip(pieces: readonly Buffer[]): AsyncIterable<Buffer> {
  return Readable.from(cut(pieces), { objectMode: true }).pipe(createGzip({ level: GZIP_LEVEL, chunkSize: 65_536 }));
}

function* cut(pieces: readonly Buffer[]): Iterable<Buffer> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += MAX_PIECE_BYTES) yield piece.subarray(at, at + MAX_PIECE_BYTES);
  }
}
