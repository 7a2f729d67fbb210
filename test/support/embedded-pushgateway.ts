import { join } from "node:path";
import {
  type EmbeddedPushgateway,
  type PushgatewayOptions,
  startPushgateway,
} from "../../src/embedded/pushgateway-app.ts";
import { createLogger } from "../../src/log.ts";
import { freePort } from "./free-port.ts";
import { REPOSITORY } from "./parts.ts";
import { answersOk, ServerProcess } from "./server-process.ts";

/** A Pushgateway of our own within this process, on a free port of 127.0.0.1. */
export class LocalPushgateway implements AsyncDisposable {
  readonly #server: EmbeddedPushgateway;
  /** Lines logged so far. */
  readonly log: readonly string[];

  private constructor(server: EmbeddedPushgateway, log: readonly string[]) {
    this.#server = server;
    this.log = log;
  }

  static async start(options: Partial<PushgatewayOptions> = {}): Promise<LocalPushgateway> {
    const log: string[] = [];
    const server = await startPushgateway({
      listen: [{ hostname: "127.0.0.1", port: 0 }],
      routePrefix: "",
      telemetryPath: "/metrics",
      onQuit: undefined,
      enableAdminApi: true,
      utf8Names: false,
      reportsInconsistency: true,
      maxBodyBytes: 64 * 1024 * 1024,
      persistence: undefined,
      flags: {},
      log: createLogger({ level: "debug", format: "logfmt", write: (line) => log.push(line) }),
      version: "test",
      process: {
        cpuSeconds: () => process.cpuUsage().user / 1e6,
        residentBytes: () => process.memoryUsage.rss(),
        startTimeSeconds: Date.now() / 1000,
      },
      ...options,
    });
    return new LocalPushgateway(server, log);
  }

  get url(): string {
    return this.#server.url;
  }

  /** host:port */
  get address(): string {
    return this.#server.address;
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** `dynamic-sharding pushgateway` as a process of its own, started as a user does it. */
export class PushgatewayProcess extends ServerProcess {
  readonly host: string;
  /** host:port */
  readonly address: string;
  readonly url: string;

  /** On 127.0.0.1 and a free port when no place is given. */
  constructor(flags: readonly string[], place: { readonly host?: string; readonly port?: number } = {}) {
    const { host = "127.0.0.1", port = freePort(host) } = place;
    const address = `${host}:${port}`;
    super({
      name: `dynamic-sharding pushgateway ${address}`,
      argv: [join(REPOSITORY, "bin/dynamic-sharding"), "pushgateway", `--web.listen-address=${address}`, ...flags],
      ready: () => answersOk(`http://${address}/-/ready`),
    });
    this.host = host;
    this.address = address;
    this.url = `http://${address}`;
  }

  async request(method: string, path: string, body?: string): Promise<Response> {
    const init = { method, signal: AbortSignal.timeout(10_000), ...(body === undefined ? {} : { body }) };
    return await fetch(this.url + path, init);
  }

  /** Lines of the exposition that begin so. */
  async samples(start: string): Promise<readonly string[]> {
    const text = await (await this.request("GET", "/metrics")).text();
    return text.split("\n").filter((line) => line.startsWith(start));
  }

  /** The lines of /metrics without those of the server itself. */
  async groupLines(): Promise<readonly string[]> {
    const text = await (await this.request("GET", "/metrics")).text();
    return text.split("\n").filter((line) => !/^(?:# \w+ )?(?:pushgateway|process)_/.test(line));
  }
}

export async function startPushgatewayProcess(flags: readonly string[] = []): Promise<PushgatewayProcess> {
  const server = new PushgatewayProcess(flags);
  await server.start();
  return server;
}
