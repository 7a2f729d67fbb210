export interface ChildOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** How much of the last output is kept; 64 KiB when absent. */
  readonly keptOutputBytes?: number;
}

const KEPT_OUTPUT_BYTES = 64 * 1024;
const STOP_DEADLINE_MS = 10_000;

/** Put before a command, it has the kernel kill the command's process when this process ends, however that happens. */
export function leash(): readonly string[] {
  return Bun.which("setpriv") === null ? [] : ["setpriv", "--pdeathsig", "KILL", "--"];
}

/** A running program whose last output is kept, and which the kernel ends when this process ends, however that happens. */
export class ChildProcess implements AsyncDisposable {
  /** The exit code, or the name of the signal that ended the program. */
  readonly exited: Promise<number | NodeJS.Signals>;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #output: OutputTail;
  readonly #drained: Promise<unknown>;

  constructor(argv: readonly string[], options: ChildOptions = {}) {
    this.#output = new OutputTail(options.keptOutputBytes ?? KEPT_OUTPUT_BYTES);
    this.#process = Bun.spawn([...leash(), ...argv], {
      cwd: options.cwd ?? process.cwd(),
      env: { ...process.env, ...options.env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#drained = Promise.all([this.#keep(this.#process.stdout), this.#keep(this.#process.stderr)]);
    this.exited = this.#exit();
  }

  get pid(): number {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** What the program said last on stdout and stderr, in the order of arrival. */
  output(): string {
    return this.#output.text();
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Asks the program to end, and makes it when it does not. */
  async stop(deadlineMs = STOP_DEADLINE_MS): Promise<void> {
    if (!this.running) return;
    this.kill("SIGTERM");
    // A program frozen by SIGSTOP acts on SIGTERM only once it goes on.
    this.kill("SIGCONT");
    const timer = setTimeout(() => this.kill("SIGKILL"), deadlineMs);
    await this.exited;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #exit(): Promise<number | NodeJS.Signals> {
    await this.#process.exited;
    // A grandchild may hold the pipes open; the program itself has said everything by now.
    await Promise.race([this.#drained, Bun.sleep(200)]);
    return this.#process.signalCode ?? this.#process.exitCode ?? 0;
  }

  async #keep(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const chunk of stream) this.#output.push(chunk);
  }
}

/** The last bytes of a stream of chunks, bounded. */
class OutputTail {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#chunks.length > 1 && this.#size - (this.#chunks[0]?.length ?? 0) >= this.#limit) {
      this.#size -= this.#chunks.shift()?.length ?? 0;
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-this.#limit).toString();
  }
}
