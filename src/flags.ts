import { parseChoice } from "./choice.ts";
import { type ListenAddress, parseListenAddress } from "./config/address.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./log.ts";

export const PROGRAM = "dynamic-sharding";

/** Read when no other file is named. */
export const DEFAULT_CONFIG_FILE = "dynamic-sharding.yml";

/** One flag: how it is called, what it means, how its value is read. */
export interface Flag<T> {
  /** Without the dashes. */
  readonly name: string;
  /** One letter, without the dash. */
  readonly short?: string;
  readonly help: string;
  /** What stands for the value in the help, be it a default or a word such as FILE; absent: a switch without value. */
  readonly placeholder?: string;
  /** The value when the flag is not given. */
  readonly defaultValue: T;
  /** Throws a RangeError that says what was expected. A switch gets "true" or, as `--no-name`, "false". */
  readonly parse: (text: string) => T;
}

/** Flags by the name of the value that they set. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type FlagValues<Table extends FlagTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Flag<infer T> ? T : never;
};

export interface Command {
  /** As typed; empty for what runs when no command is named. */
  readonly name: string;
  readonly help: string;
  readonly flags: FlagTable;
  /** The arguments after the flags, of which at least one is needed; absent: it takes none. */
  readonly argumentName?: string;
}

const HELP = toggle({ name: "help", short: "h", help: "Show this help and exit." });

const CONFIG_FILE: Flag<string | undefined> = {
  name: "config.file",
  help: "Configuration file.",
  placeholder: `"${DEFAULT_CONFIG_FILE}"`,
  defaultValue: undefined,
  parse: parseFileName,
};

const LISTEN_ADDRESS: Flag<ListenAddress | undefined> = {
  name: "web.listen-address",
  help: "Address to listen on, such as :9292 or 127.0.0.1:9292. Takes the place of http_listen_addr, also after a reload.",
  placeholder: "ADDRESS",
  defaultValue: undefined,
  parse: parseListenAddress,
};

const RUN_FLAGS = {
  help: HELP,
  version: toggle({ name: "version", help: "Show the version and exit." }),
  configFile: CONFIG_FILE,
  listenAddress: LISTEN_ADDRESS,
  enableLifecycle: toggle({ name: "web.enable-lifecycle", help: "Allow a reload by PUT or POST to /-/reload." }),
  logLevel: choice<LogLevel>("log.level", LOG_LEVELS, "info", "Log only messages of this severity or above."),
  logFormat: choice<LogFormat>("log.format", LOG_FORMATS, "logfmt", "Format of log messages."),
};

export type RunFlags = FlagValues<typeof RUN_FLAGS>;

export const RUN: Command & { readonly flags: typeof RUN_FLAGS } = {
  name: "",
  help: "One Pushgateway to your clients, many underneath: takes every push to the Pushgateway that owns its group.",
  flags: RUN_FLAGS,
};

export const CHECK_CONFIG: Command & { readonly flags: { readonly help: Flag<boolean> } } = {
  name: "check-config",
  help: "Check configuration files, print every problem, and exit: 0 when all are good, 1 otherwise.",
  flags: { help: HELP },
  argumentName: "file",
};

export const COMMANDS: readonly Command[] = [RUN, CHECK_CONFIG];

function toggle({ name, short, help }: Pick<Flag<boolean>, "name" | "short" | "help">): Flag<boolean> {
  const parse = (text: string) => text === "true";
  return { name, ...(short === undefined ? {} : { short }), help, defaultValue: false, parse };
}

function choice<T extends string>(name: string, choices: readonly T[], defaultValue: T, help: string): Flag<T> {
  const parse = (text: string) => parseChoice(text, choices);
  return { name, help: `${help} One of: ${choices.join(", ")}.`, placeholder: defaultValue, defaultValue, parse };
}

function parseFileName(text: string): string {
  if (text === "") throw new RangeError("expected the name of a file, got nothing");
  return text;
}
