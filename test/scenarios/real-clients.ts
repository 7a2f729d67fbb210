import { join } from "node:path";
import { buildFolder } from "../clients/push-client.ts";
import { part, REPOSITORY } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import type { Copies } from "./copies.ts";

/** A client library's own program: replaces, adds to and deletes groups, the same ones each time it runs. */
interface RealClient {
  readonly name: string;
  /** Beginning of the job of all its groups. */
  readonly job: string;
  /** Groups that it leaves behind. */
  readonly groups: number;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const CLIENTS = join(REPOSITORY, "test/clients");

/** Runs real clients against the routers and remembers which of them were told that all went well. */
export class RealClients {
  readonly #clients: readonly RealClient[];
  readonly #urls: readonly string[];
  readonly #failed = new Set<string>();
  #runs = 0;

  private constructor(clients: readonly RealClient[], urls: readonly string[]) {
    this.#clients = clients;
    this.#urls = urls;
  }

  /** Builds what must be built. */
  static async prepare(urls: readonly string[]): Promise<RealClients> {
    const go = join(buildFolder("go"), "push");
    await runCommand([await part("go"), "build", "-o", go, join(CLIENTS, "go/push.go")], { timeoutMs: 120_000 });
    const python = [await part("python"), join(CLIENTS, "python/push.py")];
    const clients: readonly RealClient[] = [
      { name: "Go", job: "go", groups: 9, argv: [go] },
      { name: "Python", job: "python", groups: 11, argv: python },
      { name: "prom-client", job: "node", groups: 9, argv: ["node", join(CLIENTS, "node/push.mjs")] },
    ];
    return new RealClients(clients, urls);
  }

  /** How often a client ran, and which ones were told of a failure in the end. */
  get summary(): string {
    const failed = this.#failed.size === 0 ? "" : ` (told of a failure: ${[...this.#failed].join(", ")})`;
    return `  ${this.#runs} runs of real clients${failed}`;
  }

  /** How often a client ran. */
  get runs(): number {
    return this.#runs;
  }

  /** Lets each client run once, one after the other, at the routers by turns. */
  async run(): Promise<void> {
    for (const { name, argv } of this.#clients) {
      const url = this.#urls[this.#runs++ % this.#urls.length] ?? "";
      try {
        await runCommand([...argv, url]);
        this.#failed.delete(name);
      } catch {
        this.#failed.add(name);
      }
    }
  }

  /** What is wrong with their groups: a second copy, or another number of groups than a client that succeeded leaves behind. */
  judge(copies: Copies): readonly string[] {
    if (this.#runs === 0) return [];
    return this.#clients.flatMap(({ name, job, groups }) => {
      const own = [...copies].filter(([key]) => (JSON.parse(key) as { job: string }).job.startsWith(job));
      const doubled = own.filter(([, held]) => held.length > 1).map(([key]) => `${name}: doubled: ${key}`);
      const isCountWrong = own.length !== groups && !this.#failed.has(name);
      return isCountWrong ? [...doubled, `${name}: ${own.length} groups instead of ${groups}`] : doubled;
    });
  }
}
