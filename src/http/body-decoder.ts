import type { BodyFraming } from "./framing.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";

/** Takes a body's bytes as they arrive. A chunk is a view of the bytes given to the decoder; it is not empty and may be kept. */
export interface BodySink {
  onData(chunk: Buffer): void;
}

/**
 * Takes a message's framing off: feed it what the socket gives, it hands the body's bytes to the sink and says where the
 * body ends. Strict (RFC 9112 §7.1): chunk sizes are plain hex, lines end in CRLF, trailers are read and dropped.
 */
export interface BodyDecoder {
  /** Whether the whole body has been read. */
  readonly done: boolean;
  /**
   * Reads from `offset` and calls the sink once at most; returns the offset of the first byte that does not belong to this body.
   * What lies before that is the decoder's to overwrite. Throws HttpSyntaxError, and must not be used again after that.
   */
  decode(data: Buffer, offset: number, sink: BodySink): number;
  /** The connection has ended. Returns whether the body was complete. */
  finish(): boolean;
}

export function createBodyDecoder(framing: BodyFraming): BodyDecoder {
  switch (framing.kind) {
    case "none":
      return EMPTY_BODY;
    case "length":
      return new LengthDecoder(framing.length);
    case "chunked":
      return new ChunkedDecoder();
    case "until-close":
      return new UntilCloseDecoder();
  }
}

const EMPTY_BODY: BodyDecoder = { done: true, decode: (_data, offset) => offset, finish: () => true };

class LengthDecoder implements BodyDecoder {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  decode(data: Buffer, offset: number, sink: BodySink): number {
    const end = Math.min(data.length, offset + this.#left);
    if (end > offset) {
      this.#left -= end - offset;
      sink.onData(data.subarray(offset, end));
    }
    return end;
  }

  finish(): boolean {
    return this.done;
  }
}

class UntilCloseDecoder implements BodyDecoder {
  #done = false;

  get done(): boolean {
    return this.#done;
  }

  decode(data: Buffer, offset: number, sink: BodySink): number {
    if (data.length > offset) sink.onData(data.subarray(offset));
    return data.length;
  }

  finish(): boolean {
    this.#done = true;
    return true;
  }
}

/** Longest line of chunk framing that is read: sizes are short, extensions are rare, trailers have no use here. */
const MAX_LINE_BYTES = 4096;
const MAX_TRAILER_BYTES = 16_384;
/**
 * What chunk framing may take on top of FREE_BYTES_PER_CHUNK and twice the data: extensions could otherwise make a body within
 * its limit endless on the wire. The rule is that of Go's net/http/internal/chunked.
 */
const MAX_EXCESS_BYTES = 16_384;
const FREE_BYTES_PER_CHUNK = 16;

// Thirteen hex digits stay below 2^53. Extensions are allowed and ignored (RFC 9112 §7.1.1).
const CHUNK_SIZE_LINE = /^([0-9A-Fa-f]{1,13})(?:[ \t]*;[^\r\n]*)?$/;

type ChunkedState = "size" | "data" | "data-end" | "trailer" | "done";

class ChunkedDecoder implements BodyDecoder {
  #state: ChunkedState = "size";
  #left = 0;
  #line = "";
  #trailerBytes = 0;
  #excessBytes = 0;

  get done(): boolean {
    return this.#state === "done";
  }

  decode(data: Buffer, start: number, sink: BodySink): number {
    let offset = start;
    let bodyStart = start;
    let bodyEnd = start;
    while (offset < data.length && this.#state !== "done") {
      if (this.#state !== "data") {
        offset = this.#readLine(data, offset);
        continue;
      }
      const end = Math.min(data.length, offset + this.#left);
      // Chunks are moved together over the framing between them: one call for a thousand chunks of a byte, not a thousand.
      if (bodyEnd === bodyStart) bodyStart = bodyEnd = offset;
      else data.copyWithin(bodyEnd, offset, end);
      bodyEnd += end - offset;
      this.#takeData(end - offset);
      offset = end;
    }
    if (bodyEnd > bodyStart) sink.onData(data.subarray(bodyStart, bodyEnd));
    return offset;
  }

  finish(): boolean {
    return this.done;
  }

  #takeData(length: number): void {
    this.#left -= length;
    if (this.#left === 0) this.#state = "data-end";
  }

  #readLine(data: Buffer, offset: number): number {
    const newline = data.indexOf(0x0a, offset);
    const end = newline === -1 ? data.length : newline + 1;
    const length = this.#line.length + end - offset;
    if (this.#state === "data-end" && length > 2) throw chunkError("chunk longer than its size");
    if (length > MAX_LINE_BYTES) throw chunkError("line too long");
    this.#line += data.toString("latin1", offset, end);
    if (newline !== -1) {
      const line = this.#line;
      this.#line = "";
      if (!line.endsWith("\r\n")) throw chunkError("line does not end in CRLF");
      this.#takeLine(line.slice(0, -2));
    }
    return end;
  }

  #takeLine(line: string): void {
    switch (this.#state) {
      case "data-end":
        this.#state = "size";
        break;
      case "trailer":
        this.#takeTrailer(line);
        break;
      default:
        this.#takeSize(line);
    }
  }

  #takeSize(line: string): void {
    const size = CHUNK_SIZE_LINE.exec(line);
    if (size === null) throw chunkError("bad chunk size");
    this.#left = Number.parseInt(size[1] as string, 16);
    const excess = this.#excessBytes + line.length + 4 - FREE_BYTES_PER_CHUNK - 2 * this.#left;
    this.#excessBytes = Math.max(0, excess);
    if (excess > MAX_EXCESS_BYTES) throw chunkError("too much besides data");
    this.#state = this.#left === 0 ? "trailer" : "data";
  }

  #takeTrailer(line: string): void {
    this.#trailerBytes += line.length + 2;
    if (this.#trailerBytes > MAX_TRAILER_BYTES) throw chunkError("trailers too long");
    if (line === "") this.#state = "done";
  }
}

function chunkError(fault: string): HttpSyntaxError {
  return new HttpSyntaxError(400, `Malformed chunked body: ${fault}`);
}
