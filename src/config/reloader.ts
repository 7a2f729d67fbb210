import { describeError, type Logger } from "../log.ts";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";

export type ReloadResult = { readonly ok: true } | { readonly ok: false; readonly error: Error };

export interface ReloaderOptions {
  /** What the server was started with. */
  readonly config: Config;
  /** Reads the configuration anew. */
  readonly load: () => Promise<Config>;
  /** Puts `next` into effect. Does all that can fail before it changes anything, so that a rejection leaves `previous`. */
  readonly apply: (next: Config, previous: Config) => Promise<void>;
  readonly log: Logger;
  /** How long reading the files may take; a file on a dead network disk must not block later reloads. */
  readonly loadTimeoutMs?: number;
}

/**
 * Replaces the running configuration, one reload at a time. A reload that fails leaves the running one in place and says
 * so in its result and in the log.
 */
export class ConfigReloader {
  readonly #options: ReloaderOptions;
  #config: Config;
  #last: Promise<unknown> = Promise.resolve();
  #waiting: Promise<ReloadResult> | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#config = options.config;
  }

  get config(): Config {
    return this.#config;
  }

  /**
   * Never rejects. The files are read after the call: when a reload is under way, it may have read them before they were
   * changed, so another follows it, and all who ask meanwhile share that one.
   */
  reload(): Promise<ReloadResult> {
    if (this.#waiting === undefined) {
      this.#waiting = this.#last.then(() => {
        this.#waiting = undefined;
        return this.#reloadOnce();
      });
      this.#last = this.#waiting;
    }
    return this.#waiting;
  }

  async #reloadOnce(): Promise<ReloadResult> {
    const { load, apply, log, loadTimeoutMs = 10_000 } = this.#options;
    try {
      const next = await withTimeout(load(), loadTimeoutMs);
      await apply(next, this.#config);
      this.#config = next;
      log.info("Reloaded the configuration");
      return { ok: true };
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      logFailure(log, cause);
      return { ok: false, error: cause };
    }
  }
}

function logFailure(log: Logger, error: Error): void {
  const message = "Cannot reload the configuration, the running one stays in place";
  if (!(error instanceof ConfigError)) {
    log.error(message, { err: describeError(error) });
    return;
  }
  log.error(message, { problems: error.problems.length });
  for (const { file, line, column, key, message: problem } of error.problems) {
    log.error("Problem in the configuration", { file, line, column, key, problem });
  }
}

async function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    timeout.reject(new Error(`Cannot read the configuration: the files could not be read within ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    return await Promise.race([promise, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
