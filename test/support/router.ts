import { join } from "node:path";
import { stringify } from "yaml";
import type { LogLevel } from "../../src/log.ts";
import { freePort } from "./free-port.ts";
import { REPOSITORY } from "./parts.ts";
import { answersOk, ServerProcess, temporaryFolder } from "./server-process.ts";

export interface RouterOptions {
  /** The configuration file: its text, or a value to be written as YAML. No file and no flag for it when absent. */
  readonly config?: string | Readonly<Record<string, unknown>>;
  /** Flags after those for the file, the address and the log. */
  readonly args?: readonly string[];
  /** debug when absent. */
  readonly logLevel?: LogLevel;
  readonly env?: Readonly<Record<string, string>>;
  /** 127.0.0.1 and a free port when absent. */
  readonly port?: number;
  /** How much of its last output is kept; 64 KiB when absent. */
  readonly keptOutputBytes?: number;
  /** What counts as started; /-/ready answering 200 when absent. */
  readonly readyPath?: string;
}

/** A router as a process of its own, started as a user does it. The launcher execs, so `pid` is the router's. */
export class RouterProcess extends ServerProcess {
  readonly address: string;
  readonly url: string;
  /** The configuration file, whether or not it was given. */
  readonly configFile: string;

  constructor(folder: string, options: RouterOptions) {
    const address = `127.0.0.1:${options.port ?? freePort()}`;
    const configFile = join(folder, "dynamic-sharding.yml");
    super({
      name: `router ${address}`,
      argv: [
        join(REPOSITORY, "bin/dynamic-sharding"),
        ...(options.config === undefined ? [] : [`--config.file=${configFile}`]),
        `--web.listen-address=${address}`,
        `--log.level=${options.logLevel ?? "debug"}`,
        ...(options.args ?? []),
      ],
      cwd: folder,
      env: options.env ?? {},
      ...(options.keptOutputBytes !== undefined && { keptOutputBytes: options.keptOutputBytes }),
      ready: () => answersOk(`http://${address}${options.readyPath ?? "/-/ready"}`),
      folders: [folder],
    });
    this.address = address;
    this.url = `http://${address}`;
    this.configFile = configFile;
  }

  /** Replaces the configuration file; the router hears of it by `reload`. */
  async configure(config: string | Readonly<Record<string, unknown>>): Promise<void> {
    await Bun.write(this.configFile, typeof config === "string" ? config : stringify(config));
  }

  /** Has the configuration read again (SIGHUP). */
  reload(): void {
    this.kill("SIGHUP");
  }
}

/** Starts a router and waits until it is ready. */
export async function startRouterProcess(options: RouterOptions = {}): Promise<RouterProcess> {
  const router = new RouterProcess(await temporaryFolder("router"), options);
  if (options.config !== undefined) await router.configure(options.config);
  await router.start();
  return router;
}
