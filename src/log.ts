/** Log levels, from chatty to grave. A logger prints its own level and everything graver. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `logfmt` as the Prometheus servers print it, or one JSON object a line. */
export const LOG_FORMATS = ["logfmt", "json"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

/** Values that go with a message. An Error is printed by its message and its chain of causes. */
type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log. The message is a fixed sentence; whatever varies is a field. Client mistakes go to debug, trouble that
 * heals itself to warn, and what an operator must act on to error.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Whether debug lines are printed; lets a hot path skip building their fields. */
  readonly debugEnabled: boolean;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Takes one whole line, newline included. */
  readonly write: (line: string) => void;
}

export function createLogger(options: LoggerOptions): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const format = options.format === "json" ? formatJson : formatLogfmt;
  const logAt = (level: LogLevel) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return () => {};
    return (message: string, fields: LogFields = {}) => {
      options.write(`${format({ ts: new Date().toISOString(), level, msg: message, ...fields })}\n`);
    };
  };
  return {
    debug: logAt("debug"),
    info: logAt("info"),
    warn: logAt("warn"),
    error: logAt("error"),
    debugEnabled: threshold === 0,
  };
}

/** Prints nothing. For tests and for parts used outside a server. */
export const NOP_LOGGER: Logger = createLogger({ level: "error", format: "logfmt", write: () => {} });

function formatJson(record: LogFields): string {
  return JSON.stringify(record, (_key, value: unknown) => (value instanceof Error ? describeError(value) : value));
}

function formatLogfmt(record: LogFields): string {
  return Object.entries(record)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${quoteLogfmt(plainText(value))}`)
    .join(" ");
}

function plainText(value: unknown): string {
  if (value instanceof Error) return describeError(value);
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return String(value);
}

function quoteLogfmt(text: string): string {
  return /^[^\s"=\\\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** An error's message followed by those of its causes. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${describeError(error.cause)}`;
}
