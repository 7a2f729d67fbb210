import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ChildOptions, ChildProcess } from "./child-process.ts";
import { waitFor } from "./wait-for.ts";

export interface ServerSpec extends ChildOptions {
  /** For messages. */
  readonly name: string;
  readonly argv: readonly string[];
  /** Whether the server does its work; throwing means not yet. */
  readonly ready: () => Promise<boolean>;
  /** 20 s when absent. */
  readonly readyTimeoutMs?: number;
  /** Folders that belong to the server and go with it. */
  readonly folders?: readonly string[];
}

/** Characters of a server's last output in the error when it does not start. */
const SHOWN_OUTPUT = 4_000;

/** A server as a child process: it can be killed, frozen, restarted in place, and leaves nothing behind once stopped. */
export class ServerProcess implements AsyncDisposable {
  readonly #spec: ServerSpec;
  #child: ChildProcess | undefined;

  constructor(spec: ServerSpec) {
    this.#spec = spec;
  }

  /** The process id while the server runs. */
  get pid(): number {
    return this.#running().pid;
  }

  get running(): boolean {
    return this.#child?.running ?? false;
  }

  /** What the server said last. */
  output(): string {
    return this.#child?.output() ?? "";
  }

  /** Starts the server, also again after `kill` or `halt`, and waits until it is ready. */
  async start(): Promise<void> {
    if (this.running) throw new Error(`Cannot start ${this.#spec.name}: it is running`);
    const child = new ChildProcess(this.#spec.argv, this.#spec);
    this.#child = child;
    const died = new AbortController();
    void child.exited.then((how) => died.abort(new Error(`it ended with ${how} before it was ready`)));
    try {
      await waitFor(`${this.#spec.name} to be ready`, this.#spec.ready, {
        timeoutMs: this.#spec.readyTimeoutMs ?? 20_000,
        signal: died.signal,
      });
    } catch (error) {
      await this.stop();
      throw new Error(`Cannot start ${this.#spec.name}: ${String(error)}\n${child.output().slice(-SHOWN_OUTPUT)}`, {
        cause: error,
      });
    }
  }

  /** Sends a signal: SIGKILL for a crash, SIGCONT for the end of a freeze. */
  kill(signal: NodeJS.Signals): void {
    this.#running().kill(signal);
  }

  /** Stops the process where it stands and returns once all of it stands. SIGCONT has it go on. */
  async freeze(): Promise<void> {
    this.kill("SIGSTOP");
    const threads = `/proc/${this.pid}/task`;
    await waitFor(`${this.#spec.name} to stand still`, async () => {
      const ids = await readdir(threads);
      const stats = await Promise.all(ids.map((id) => readFile(`${threads}/${id}/stat`, "utf8")));
      return stats.every((stat) => stateIn(stat) === "T");
    });
  }

  /** The exit code or the signal that ended the server. */
  async exited(): Promise<number | NodeJS.Signals> {
    return await this.#running().exited;
  }

  /** Ends the process but keeps its folders, so that `start` brings it back with its data. */
  async halt(): Promise<void> {
    await this.#child?.stop();
  }

  async restart(): Promise<void> {
    await this.halt();
    await this.start();
  }

  /** Ends the process and removes its folders. */
  async stop(): Promise<void> {
    await this.halt();
    for (const folder of this.#spec.folders ?? []) await rm(folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #running(): ChildProcess {
    if (this.#child === undefined) throw new Error(`Cannot use ${this.#spec.name}: it was not started`);
    return this.#child;
  }
}

export async function temporaryFolder(purpose: string): Promise<string> {
  return await mkdtemp(join(tmpdir(), `dynamic-sharding-${purpose}-`));
}

/** Whether a GET is answered 200; a refused connection throws. */
export async function answersOk(url: string, init: BunFetchRequestInit = {}): Promise<boolean> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(2_000) });
  await response.body?.cancel();
  return response.status === 200;
}

/** The letter for the state of a process or thread in its /proc/…/stat: it follows the name, which ends with the last parenthesis (proc(5)). */
export function stateIn(stat: string): string {
  return stat.charAt(stat.lastIndexOf(")") + 2);
}
