import type { Socket } from "bun";
import type { OutputBuffer } from "./output-buffer.ts";

/** Writes to a socket in order, keeping what the kernel does not take at once until the socket drains. */
export class SocketWriter {
  readonly #socket: Pick<Socket<unknown>, "write">;
  readonly #queue: Buffer[] = [];

  constructor(socket: Pick<Socket<unknown>, "write">) {
    this.#socket = socket;
  }

  /** Whether the kernel has taken everything. */
  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /**
   * Sends bytes, or keeps them, without a copy. False: they are kept; the caller should wait for `drain`, then flush. Nothing
   * bounds what is kept but a caller that does so.
   */
  write(bytes: Buffer): boolean {
    if (this.#queue.length > 0) {
      this.#queue.push(bytes);
      return false;
    }
    const left = this.#send(bytes);
    if (left === undefined) return true;
    this.#queue.push(left);
    return false;
  }

  /** As `write`, for a buffer that others go on to use: what is kept is a copy. */
  writeOutput(output: OutputBuffer): boolean {
    const { bytes, length } = output;
    const written = this.#queue.length > 0 ? 0 : Math.max(0, this.#socket.write(bytes, 0, length));
    if (written === length) return true;
    this.#queue.push(Buffer.from(bytes.subarray(written, length)));
    return false;
  }

  /** Sends what was kept. Returns whether all of it is gone. */
  flush(): boolean {
    const queue = this.#queue;
    for (let sent = 0; sent < queue.length; sent++) {
      const left = this.#send(queue[sent] as Buffer);
      if (left === undefined) continue;
      queue[sent] = left;
      queue.splice(0, sent);
      return false;
    }
    queue.length = 0;
    return true;
  }

  /** Returns what the kernel did not take. */
  #send(bytes: Buffer): Buffer | undefined {
    // A socket that is closed says -1. What is kept then goes with the connection.
    const written = Math.max(0, this.#socket.write(bytes));
    return written < bytes.length ? bytes.subarray(written) : undefined;
  }
}
