import { rm } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Config } from "../../src/config/config.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import type { ReloadResult } from "../../src/config/reloader.ts";
import { createLogger, type LogLevel } from "../../src/log.ts";
import { type Router, startRouter } from "../../src/router-app.ts";
import { temporaryFolder } from "./server-process.ts";
import { waitFor } from "./wait-for.ts";

export interface LocalRouterOptions {
  /** Whether /-/reload is open; false when absent. */
  readonly enableLifecycle?: boolean;
  /** `debug` when absent. */
  readonly logLevel?: LogLevel;
  /** Whether to wait for the members; true when absent. */
  readonly untilReady?: boolean;
}

/** Sections of a configuration file as they would be written in YAML. */
export type ConfigSections = Readonly<Record<string, unknown>>;

/** A member of a router, and those that would own the group without it, in ring order. */
export interface Owners {
  readonly owner: string;
  readonly failOver: readonly string[];
}

/** Health checks that notice within a second what happens to a member. */
const FAST_CHECKS = { interval: "500ms", timeout: "400ms" };

/** A router within this process, listening on a free port of 127.0.0.1, with a configuration file of its own. */
export class LocalRouter implements AsyncDisposable {
  readonly #router: Router;
  readonly #folder: string;
  readonly #log: string[];

  private constructor(router: Router, folder: string, log: string[]) {
    this.#router = router;
    this.#folder = folder;
    this.#log = log;
  }

  static async start(config: ConfigSections, options: LocalRouterOptions = {}): Promise<LocalRouter> {
    const folder = await temporaryFolder("local-router");
    const log: string[] = [];
    await writeConfig(folder, config);
    const router = await startRouter({
      config: await readConfig(folder),
      loadConfig: () => readConfig(folder),
      log: createLogger({ level: options.logLevel ?? "debug", format: "logfmt", write: (line) => log.push(line) }),
      enableLifecycle: options.enableLifecycle ?? false,
      version: "test",
      process: {
        cpuSeconds: () => 0,
        residentBytes: () => process.memoryUsage.rss(),
        startTimeSeconds: Date.now() / 1000,
      },
    });
    const local = new LocalRouter(router, folder, log);
    if (options.untilReady !== false) await local.ready();
    return local;
  }

  get url(): string {
    return this.#router.url;
  }

  /** host:port */
  get address(): string {
    return this.url.slice("http://".length);
  }

  /** Lines logged so far. */
  get log(): readonly string[] {
    return this.#log;
  }

  async ready(): Promise<void> {
    await waitFor("the router to be ready", async () => (await this.get("/-/ready")).ok);
  }

  /** Puts another configuration into effect. */
  async reconfigure(config: ConfigSections): Promise<ReloadResult> {
    await writeConfig(this.#folder, config);
    return await this.#router.reload();
  }

  /** Writes a configuration file and leaves it to the test to have it read. */
  async writeConfig(config: ConfigSections | string): Promise<void> {
    await writeConfig(this.#folder, config);
  }

  /** On a connection of its own, so that tests know how many there are. */
  async get(path: string, init: RequestInit = {}): Promise<Response> {
    return await fetch(`${this.url}${path}`, { ...init, keepalive: false, signal: AbortSignal.timeout(10_000) });
  }

  async push(path: string, body = "x 1\n", init: RequestInit = {}): Promise<Response> {
    return await this.get(path, { method: "PUT", body, redirect: "manual", ...init });
  }

  /** Samples of /metrics by name and labels, as they are written there. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await this.get("/metrics")).text();
    const samples = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(
      samples.map((line) => {
        const blank = line.lastIndexOf(" ");
        return [line.slice(0, blank), Number(line.slice(blank + 1))];
      }),
    );
  }

  async ownersOf(path: string): Promise<Owners> {
    const response = await this.get(`/api/v1/owner?path=${encodeURIComponent(path)}`);
    const { data } = (await response.json()) as { data: { owner: string; fail_over: readonly string[] } };
    return { owner: data.owner, failOver: data.fail_over };
  }

  /** A push path whose group belongs to this member now. */
  async pathOwnedBy(address: string): Promise<string> {
    for (let i = 0; i < 1_000; i++) {
      const path = `/metrics/job/owned_${i}`;
      if ((await this.ownersOf(path)).owner === address) return path;
    }
    throw new Error(`Cannot find a group of "${address}": it owns none of a thousand`);
  }

  async stop(): Promise<void> {
    await this.#router.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A configuration of these members, whatever their ports, with fast health checks, and further sections. */
export function configOf(servers: Iterable<{ readonly address: string }>, more: ConfigSections = {}): ConfigSections {
  const addresses = Array.from(servers, ({ address }) => address);
  return { pushgateway: { servers: addresses }, health_check: FAST_CHECKS, ...more };
}

async function writeConfig(folder: string, config: ConfigSections | string): Promise<void> {
  await Bun.write(configFile(folder), typeof config === "string" ? config : stringify(config));
}

async function readConfig(folder: string): Promise<Config> {
  return { ...(await loadConfig(configFile(folder))), listen: { hostname: "127.0.0.1", port: 0 } };
}

function configFile(folder: string): string {
  return join(folder, "dynamic-sharding.yml");
}
