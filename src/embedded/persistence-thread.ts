import type { ReadSlice, WriteSlice } from "./persistence-database.ts";
import { PersistenceError } from "./persistence-error.ts";

export type PersistenceRequest =
  | { readonly kind: "open"; readonly file: string }
  | { readonly kind: "read"; readonly place: number }
  | { readonly kind: "write"; readonly slice: WriteSlice }
  | { readonly kind: "close" };

export interface PersistenceReply {
  readonly result?: unknown;
  /** The message of a PersistenceError. */
  readonly error?: string;
}

/**
 * A `GroupDatabase` in a thread of its own, so that no request waits for a disk that takes its time. Requests are carried
 * out in order. What fails rejects with PersistenceError, and so does everything after the thread has ended.
 */
export class PersistenceThread {
  readonly #worker = new Worker(new URL("./persistence-worker.ts", import.meta.url).href);
  readonly #waiting: PromiseWithResolvers<unknown>[] = [];
  #end: PersistenceError | undefined;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<PersistenceReply>) => {
      const waiting = this.#waiting.shift();
      if (data.error === undefined) waiting?.resolve(data.result);
      else waiting?.reject(new PersistenceError(data.error));
    };
    this.#worker.onerror = ({ message }) => this.#endWith(`the thread that saves has failed (${message}); restart`);
  }

  /** How many groups the file holds. */
  async open(file: string): Promise<number> {
    return (await this.#ask({ kind: "open", file })) as number;
  }

  async read(place: number): Promise<ReadSlice> {
    return (await this.#ask({ kind: "read", place })) as ReadSlice;
  }

  async write(slice: WriteSlice): Promise<void> {
    await this.#ask({ kind: "write", slice });
  }

  /** Closes the file if it is open, and ends the thread. */
  async close(): Promise<void> {
    try {
      await this.#ask({ kind: "close" });
    } finally {
      this.#endWith("it is closed");
      this.#worker.terminate();
    }
  }

  #ask(request: PersistenceRequest): Promise<unknown> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.push(waiting);
    this.#worker.postMessage(request);
    return waiting.promise;
  }

  #endWith(reason: string): void {
    this.#end ??= new PersistenceError(`Cannot use the persistence file: ${reason}`);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#end);
  }
}
