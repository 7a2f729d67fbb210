import {
  type EmbeddedPushgateway,
  type PushgatewayOptions,
  startPushgateway,
} from "../../src/embedded/pushgateway-app.ts";
import { createLogger } from "../../src/log.ts";

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
