import { posix } from "node:path";
import { parseChoice } from "./choice.ts";
import { type ListenAddress, parseListenAddress } from "./config/address.ts";
import { parseByteSize } from "./config/byte-size.ts";
import { parseGoDuration } from "./go-duration.ts";
import { LOG_FORMATS, LOG_LEVELS, type LogFormat, type LogLevel } from "./log.ts";

export const PROGRAM = "dynamic-sharding";

/** Read when no other file is named. */
export const DEFAULT_CONFIG_FILE = "dynamic-sharding.yml";

/** When a change of the embedded Pushgateway is on disk: within the interval, or before it is answered. */
const PERSISTENCE_SYNCS = ["interval", "push"] as const;
type PersistenceSync = (typeof PERSISTENCE_SYNCS)[number];

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
  /** Whether it may be given several times: then its values are lists, which are joined. */
  readonly isRepeatable?: boolean;
}

/** Flags by the name of the value that they set. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

export type FlagValues<Table extends FlagTable> = {
  readonly [Key in keyof Table]: Table[Key] extends Flag<infer T> ? T : never;
};

export interface Command {
  /** As typed, in one or more words; empty for what runs when no command is named. */
  readonly name: string;
  readonly help: string;
  readonly flags: FlagTable;
  /** The arguments after the flags, of which at least one is needed; absent: it takes none. */
  readonly argumentName?: string;
  /** Whether it takes several of them. */
  readonly takesSeveral?: boolean;
}

export const HELP = toggle({ name: "help", short: "h", help: "Show this help and exit." });

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

const VERSION = toggle({ name: "version", help: "Show the version and exit." });

const LOG_FLAGS = {
  logLevel: choice<LogLevel>("log.level", LOG_LEVELS, "info", "Log only messages of this severity or above."),
  logFormat: choice<LogFormat>("log.format", LOG_FORMATS, "logfmt", "Format of log messages."),
};

export type LogFlags = FlagValues<typeof LOG_FLAGS>;

const RUN_FLAGS = {
  help: HELP,
  version: VERSION,
  configFile: CONFIG_FILE,
  listenAddress: LISTEN_ADDRESS,
  enableLifecycle: toggle({ name: "web.enable-lifecycle", help: "Allow a reload by PUT or POST to /-/reload." }),
  ...LOG_FLAGS,
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
  takesSeveral: true,
};

const PUSHGATEWAY_FLAGS = {
  help: HELP,
  version: VERSION,
  listenAddresses: repeated<ListenAddress>({
    name: "web.listen-address",
    help: "Address to listen on, such as :9091 or 127.0.0.1:9091. May be given several times.",
    placeholder: ":9091",
    defaultValue: [{ hostname: "", port: 9091 }],
    parse: parseListenAddress,
  }),
  telemetryPath: text("web.telemetry-path", "/metrics", "Path under which to expose metrics.", parseTelemetryPath),
  externalUrl: text(
    "web.external-url",
    "",
    "URL under which the Pushgateway can be reached from outside.",
    parseExternalUrl,
  ),
  routePrefix: text(
    "web.route-prefix",
    "",
    "Prefix of all paths. Defaults to the path of --web.external-url.",
    (prefix) => prefix,
  ),
  enableLifecycle: toggle({ name: "web.enable-lifecycle", help: "Allow a shutdown by PUT or POST to /-/quit." }),
  enableAdminApi: toggle({ name: "web.enable-admin-api", help: "Allow PUT to /api/v1/admin/wipe." }),
  persistenceFile: text(
    "persistence.file",
    "",
    "File to keep metrics in. If empty, they are kept in memory only.",
    (file) => file,
  ),
  persistenceIntervalMs: {
    name: "persistence.interval",
    help: "How old the file may get, and so how much a crash may cost.",
    placeholder: "5m",
    defaultValue: parseGoDuration("5m"),
    parse: parseGoDuration,
  },
  persistenceSync: choice<PersistenceSync>(
    "persistence.sync",
    PERSISTENCE_SYNCS,
    "interval",
    "When a push is on disk: within the interval, or before it is answered.",
  ),
  maxBodyBytes: {
    name: "push.max-body-size",
    help: "Longest body of a push, also once it is decompressed.",
    placeholder: "64MiB",
    defaultValue: parseByteSize("64MiB"),
    parse: parseBodySize,
  },
  disableConsistencyCheck: toggle({
    name: "push.disable-consistency-check",
    help: "Answer 202 to every push, and drop those that do not fit.",
  }),
  enableUtf8Names: toggle({
    name: "push.enable-utf8-names",
    help: "Allow any UTF-8 in the names of grouping labels.",
  }),
  ...LOG_FLAGS,
};

export type PushgatewayFlags = FlagValues<typeof PUSHGATEWAY_FLAGS>;

export const PUSHGATEWAY: Command & { readonly flags: typeof PUSHGATEWAY_FLAGS } = {
  name: "pushgateway",
  help: "Run a Pushgateway of its own, without a router, with Pushgateway's flags.",
  flags: PUSHGATEWAY_FLAGS,
};

export const SERVER_COMMANDS: readonly Command[] = [RUN, CHECK_CONFIG, PUSHGATEWAY];

function text(name: string, defaultValue: string, help: string, parse: (text: string) => string): Flag<string> {
  return { name, help, placeholder: `"${defaultValue}"`, defaultValue, parse };
}

export function repeated<T>(
  flag: Pick<Flag<T>, "name" | "help" | "parse"> & {
    readonly placeholder: string;
    readonly defaultValue?: readonly T[];
  },
): Flag<readonly T[]> {
  return { defaultValue: [], ...flag, parse: (text) => [flag.parse(text)], isRepeatable: true };
}

export function toggle({ name, short, help }: Pick<Flag<boolean>, "name" | "short" | "help">): Flag<boolean> {
  const parse = (text: string) => text === "true";
  return { name, ...(short === undefined ? {} : { short }), help, defaultValue: false, parse };
}

export function choice<T extends string>(name: string, choices: readonly T[], defaultValue: T, help: string): Flag<T> {
  const parse = (text: string) => parseChoice(text, choices);
  return { name, help: `${help} One of: ${choices.join(", ")}.`, placeholder: defaultValue, defaultValue, parse };
}

function parseFileName(text: string): string {
  if (text === "") throw new RangeError("expected the name of a file, got nothing");
  return text;
}

/** Pages of a Pushgateway, and what lies below some of them. */
const OTHER_PAGES = /^\/(?:$|status$|-\/(?:healthy|ready|quit)$|(?:api\/v1|static|debug\/pprof)(?:\/|$))/;

/** As Pushgateway takes it: cleaned. Where that dies of a path that is another page's, or never serves it, this refuses it. */
function parseTelemetryPath(path: string): string {
  const expected = 'expected a path such as "/metrics"';
  if (!/^\/[!-~]*$/.test(path) || /[?#]/.test(path)) throw new RangeError(`${expected}, got "${path}"`);
  const cleaned = posix.join(path).replace(/(?<=.)\/$/, "");
  if (OTHER_PAGES.test(cleaned)) throw new RangeError(`${expected}, got "${path}", where another page is`);
  return cleaned;
}

/** A path alone is Pushgateway's way to name only what counts. It takes `host:port/path`, too, and drops the path. */
function parseExternalUrl(url: string): string {
  const isUrl = /^https?:\/\/./i.test(url) && URL.canParse(url);
  if (url === "" || isUrl || /^\/(?!\/)/.test(url)) return url;
  throw new RangeError(`expected a URL such as "http://host/path", got "${url}"`);
}

function parseBodySize(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === 0) throw new RangeError(`expected a size of at least 1B, got "${text}"`);
  return bytes;
}
