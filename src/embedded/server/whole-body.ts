import { ByteAccumulator } from "../../http/byte-accumulator.ts";
import type { BodyReceiver } from "../../http/server-exchange.ts";

/** The memory that the bodies of all requests may take. */
export interface BodyMemory {
  readonly maxBytes: number;
  takenBytes: number;
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
    this.#taken += chunk.length;
    this.#memory.takenBytes += chunk.length;
    if (this.#memory.takenBytes > this.#memory.maxBytes) {
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
