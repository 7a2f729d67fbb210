import type { Socket } from "bun";

/** Writes to a socket in order, keeping what the kernel does not take at once until the socket drains. */
export class SocketWriter {
  readonly #socket: Pick<Socket<unknown>, "write">;
  #queue: Buffer[] = [];

  constructor(socket: Pick<Socket<unknown>, "write">) {
    this.#socket = socket;
  }

  /** Whether the kernel has taken everything. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Sends bytes, or keeps them, without a copy. False: they are kept; the caller should wait for `drain`, then flush. */
  write(bytes: Buffer): boolean {
    if (this.#queue.length > 0) {
      this.#queue.push(bytes);
      return false;
    }
    const written = Math.max(0, this.#socket.write(bytes));
    if (written === bytes.length) return true;
    this.#queue.push(bytes.subarray(written));
    return false;
  }

  /** Sends what was kept. Returns whether all of it is gone. */
  flush(): boolean {
    const queue = this.#queue;
    this.#queue = [];
    for (const [index, bytes] of queue.entries()) {
      if (this.write(bytes)) continue;
      this.#queue.push(...queue.slice(index + 1));
      return false;
    }
    return true;
  }
}
