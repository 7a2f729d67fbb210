import { ByteAccumulator } from "../../http/byte-accumulator.ts";
import type { BodyReceiver } from "../../http/server-exchange.ts";

/** The memory that the bodies of all requests may take. */
export interface BodyMemory {
  readonly maxBytes: number;
  takenBytes: number;
}

/** A body for which there is no memory at the moment. */
export class NoBodyMemoryError extends Error {
  override readonly name = "NoBodyMemoryError";

  constructor() {
    super("Too many bodies are being received at the moment");
  }
}

export interface WholeBodyEvents {
  readonly onWhole: (body: Buffer) => void;
  /** There will be no body: the client went away, and has been told if it can be. */
  readonly onAborted: () => void;
  /** The client must be told that there is no room for its body at the moment. */
  readonly onNoMemory: () => void;
}

/** Gathers a request body. One of the events comes, once, and memory counts as taken until `release`. */
export class WholeBody implements BodyReceiver {
  readonly #memory: BodyMemory;
  readonly #events: WholeBodyEvents;
  #first: Buffer | undefined;
  #more: ByteAccumulator | undefined;
  #taken = 0;
  #isOver = false;

  constructor(memory: BodyMemory, events: WholeBodyEvents) {
    this.#memory = memory;
    this.#events = events;
  }

  onData(chunk: Buffer): void {
    if (this.#isOver) return;
    if (!this.take(chunk.length)) {
      this.#end();
      this.release();
      this.#events.onNoMemory();
    } else this.#gather(chunk);
  }

  onEnd(): void {
    if (this.#isOver) return;
    const body = this.#more?.bytes() ?? this.#first ?? NOTHING;
    this.#end();
    this.#events.onWhole(body);
  }

  onAbort(): void {
    if (this.#isOver) return;
    this.#end();
    this.release();
    this.#events.onAborted();
  }

  /** Counts memory for more bytes of it, or for what is made of them. False: there is none, and it may not be used. */
  take(bytes: number): boolean {
    this.#taken += bytes;
    this.#memory.takenBytes += bytes;
    return this.#memory.takenBytes <= this.#memory.maxBytes;
  }

  /** Nobody needs the body any more. */
  release(): void {
    this.#memory.takenBytes -= this.#taken;
    this.#taken = 0;
  }

  /** Most bodies come in one piece, which needs no copy. */
  #gather(chunk: Buffer): void {
    if (this.#first === undefined) {
      this.#first = chunk;
      return;
    }
    if (this.#more === undefined) {
      this.#more = new ByteAccumulator();
      this.#more.append(this.#first);
    }
    this.#more.append(chunk);
  }

  #end(): void {
    this.#isOver = true;
    this.#first = undefined;
    this.#more = undefined;
  }
}

const NOTHING = Buffer.alloc(0);
