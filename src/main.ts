import packageJson from "../package.json" with { type: "json" };
import { checkConfig } from "./check-config.ts";
import type { ClientCommandLine } from "./cli/run-client.ts";
import { type CommandLine, parseCommandLine, UsageError } from "./command-line.ts";
import { type Config, namesPushgateways } from "./config/config.ts";
import { ConfigError } from "./config/config-error.ts";
import { defaultConfig, loadConfig } from "./config/load-config.ts";
import { DEFAULT_CONFIG_FILE, type LogFlags, PROGRAM, type PushgatewayFlags, RUN, type RunFlags } from "./flags.ts";
import { createLogger, describeError, type Logger } from "./log.ts";
import type { ProcessStats } from "./metrics.ts";
import { Output } from "./output.ts";
import { type Router, startRouter } from "./router-app.ts";

/** How long an ending process waits for somebody to read its last words. */
const FLUSH_TIMEOUT_MS = 1000;

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** As a shell reports a process that a signal ended: this plus the number of the signal. */
const EXIT_SIGNAL = 128;
const SIGNAL_NUMBERS = { SIGINT: 2, SIGTERM: 15 } as const;

const PROCESS_STATS: ProcessStats = {
  cpuSeconds: () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  },
  residentBytes: () => process.memoryUsage.rss(),
  startTimeSeconds: Date.now() / 1000 - process.uptime(),
};

const PROGRAM_FACTS = { version: packageJson.version, process: PROCESS_STATS };

const stdout: Output = new Output(process.stdout);
const stderr: Output = new Output(process.stderr);

await exit(await main(process.argv.slice(2)));

async function exit(code: number): Promise<never> {
  await Promise.all([stdout.flush(FLUSH_TIMEOUT_MS), stderr.flush(FLUSH_TIMEOUT_MS)]);
  process.exit(code);
}

/** The exit code. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    return await runCommand(parseCommandLine(argv));
  } catch (error) {
    if (error instanceof UsageError) {
      stderr.write(`${PROGRAM}: ${error.message}\n${whereToFindHelp(error)}\n`);
      return EXIT_USAGE;
    }
    stderr.write(error instanceof ConfigError ? `${error.message}\n` : `${PROGRAM}: ${describeError(error)}\n`);
    return EXIT_FAILURE;
  }
}

function whereToFindHelp({ command }: UsageError): string {
  if (command === RUN) return `For all flags and commands: ${PROGRAM} --help`;
  return `For all flags: ${PROGRAM} ${command.name} --help`;
}

async function runCommand(commandLine: CommandLine): Promise<number> {
  switch (commandLine.kind) {
    case "help":
      stdout.write(commandLine.text);
      return 0;
    case "version":
      stdout.write(`${PROGRAM}, version ${packageJson.version} (bun ${Bun.version})\n`);
      return 0;
    case "check-config": {
      const { ok, text } = await checkConfig(commandLine.files);
      stdout.write(text);
      return ok ? 0 : EXIT_FAILURE;
    }
    case "pushgateway":
      return runServer(commandLine.flags, (context) => startPushgateway(commandLine.flags, context));
    case "run":
      return runServer(commandLine.flags, ({ log }) => startRouterCommand(commandLine.flags, log));
    default:
      return runClientCommand(commandLine);
  }
}

/** Asks a router that runs elsewhere. */
async function runClientCommand(commandLine: ClientCommandLine): Promise<number> {
  const { runClient } = await import("./cli/run-client.ts");
  const result = await runClient(commandLine);
  // A result may be long and its reader a pager: it is waited for, as by other programs of this kind.
  await new Promise<void>((resolve) => process.stdout.write(result.stdout, () => resolve()));
  stderr.write(result.stderr);
  return result.exitCode;
}

interface RunningServer {
  stop(): Promise<void>;
  reload?(): Promise<unknown>;
}

interface ServerContext {
  readonly log: Logger;
  /** Asks for the end of the process, as a signal does. */
  readonly requestStop: (reason: string) => void;
}

/** Runs until the end is asked for. */
async function runServer(flags: LogFlags, start: (context: ServerContext) => Promise<RunningServer>): Promise<number> {
  const log = createLogger({
    level: flags.logLevel,
    format: flags.logFormat,
    write: (line) => stderr.write(line),
  });
  stderr.onDropped((lines) => log.warn("Dropped log lines because nobody read them in time", { lines }));
  exitOnBugs(log);
  const stop = new StopRequest(log);
  let server: RunningServer | undefined;
  // Without a listener the signal would end the process. Before there is a router, the file is being read anyway; how a
  // reload ends is logged by the router.
  process.on("SIGHUP", () => void server?.reload?.());
  // Nothing has been accepted yet, so a start that takes long need not be waited for.
  const requestStop = (reason: string) => stop.request({ reason });
  server = await Promise.race([start({ log, requestStop }), stop.requested]);
  await stop.requested;
  await server?.stop();
  return 0;
}

/** Loaded when it is asked for: it takes memory that a router does not need. */
async function startPushgateway(flags: PushgatewayFlags, context: ServerContext): Promise<RunningServer> {
  const { startPushgatewayCommand } = await import("./pushgateway-command.ts");
  return startPushgatewayCommand(flags, { ...context, ...PROGRAM_FACTS });
}

/** Without any Pushgateway to route to, some of our own come along. They are loaded for that only: they take memory. */
async function startRouterCommand(flags: RunFlags, log: Logger): Promise<Router> {
  const options = { log, enableLifecycle: flags.enableLifecycle, ...PROGRAM_FACTS };
  const config = await loadWithFlags(flags);
  if (namesPushgateways(config)) {
    return startRouter({ ...options, config, loadConfig: async () => withPushgateways(await loadWithFlags(flags)) });
  }
  const { startQuickly } = await import("./quick-start.ts");
  const mayMove = flags.listenAddress === undefined;
  const print = (text: string) => stdout.write(text);
  return startQuickly({ ...options, config, loadConfig: () => loadWithFlags(flags), mayMove, print });
}

/** For a reload: a file that has lost its Pushgateways must not take them from a router that has some. */
function withPushgateways(config: Config): Config {
  if (namesPushgateways(config)) return config;
  throw new Error("pushgateway.servers: no Pushgateway to route to; list at least one address, or add consul_server");
}

async function loadWithFlags({ configFile, listenAddress }: RunFlags): Promise<Config> {
  const file = configFile ?? ((await Bun.file(DEFAULT_CONFIG_FILE).exists()) ? DEFAULT_CONFIG_FILE : undefined);
  const config = await (file === undefined ? defaultConfig() : loadConfig(file));
  return listenAddress === undefined ? config : { ...config, listen: listenAddress };
}

/** Whether the end was asked for, by SIGTERM, SIGINT or otherwise; a second signal ends the process at once. */
class StopRequest {
  readonly #log: Logger;
  readonly #resolvers = Promise.withResolvers<undefined>();
  #isRequested = false;

  constructor(log: Logger) {
    this.#log = log;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (this.#isRequested) process.exit(EXIT_SIGNAL + SIGNAL_NUMBERS[signal]);
        this.request({ signal });
      });
    }
  }

  /** Resolves with the first request. */
  get requested(): Promise<undefined> {
    return this.#resolvers.promise;
  }

  request(cause: Readonly<Record<string, string>>): void {
    this.#isRequested = true;
    this.#log.info("Stopping", cause);
    this.#resolvers.resolve(undefined);
  }
}

/** After an error that nobody expected, the state is unknown: a restart is safer than going on. */
function exitOnBugs(log: Logger): void {
  const onBug = (kind: string) => (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error(`Stopping after an ${kind}; please report this`, { err: describeError(error), stack });
    void exit(EXIT_FAILURE);
  };
  process.on("uncaughtException", onBug("uncaught exception"));
  process.on("unhandledRejection", onBug("unhandled rejection"));
}
