import { parseArgs } from "node:util";
import { suggestion } from "./did-you-mean.ts";
import {
  CHECK_CONFIG,
  COMMANDS,
  type Command,
  type FlagTable,
  type FlagValues,
  PROGRAM,
  PUSHGATEWAY,
  type PushgatewayFlags,
  RUN,
  type RunFlags,
} from "./flags.ts";
import { helpOf } from "./help.ts";

/** What the user asked for. */
export type CommandLine =
  | { readonly kind: "run"; readonly flags: RunFlags }
  | { readonly kind: "check-config"; readonly files: readonly string[] }
  | { readonly kind: "pushgateway"; readonly flags: PushgatewayFlags }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

/** The command line makes no sense. The message says what was expected. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Token = ReturnType<typeof tokenize>[number];
type FlagToken = Extract<Token, { kind: "option" }>;

/** `argv` without the program. Throws a UsageError. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const tokens = tokenize(argv);
  const flagTokens = tokens.filter((token) => token.kind === "option");
  const known = COMMANDS.flatMap(({ flags }) => flagNames(flags));
  for (const token of flagTokens) refuseUnknownFlag(token, argv, known, PROGRAM);

  const [commandName = "", ...rest] = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const command = COMMANDS.find(({ name }) => name === commandName);
  if (command === undefined) {
    const names = COMMANDS.flatMap(({ name }) => (name === "" ? [] : [name]));
    throw new UsageError(`unknown command "${commandName}"${suggestion(commandName, names)}`);
  }
  for (const token of flagTokens)
    refuseUnknownFlag(token, argv, flagNames(command.flags), `${PROGRAM} ${command.name}`);
  if (command === CHECK_CONFIG) return checkConfigCommand(flagTokens, rest);
  if (command === PUSHGATEWAY) return pushgatewayCommand(flagTokens, rest);
  return runCommand(flagTokens);
}

function pushgatewayCommand(tokens: readonly FlagToken[], rest: readonly string[]): CommandLine {
  const flags = readFlags(PUSHGATEWAY.flags, tokens);
  if (flags.help) return { kind: "help", text: helpOf(PUSHGATEWAY) };
  if (flags.version) return { kind: "version" };
  if (rest.length > 0) throw new UsageError(`${PUSHGATEWAY.name}: unexpected argument "${rest[0]}"`);
  return { kind: "pushgateway", flags };
}

function runCommand(tokens: readonly FlagToken[]): CommandLine {
  const flags = readFlags(RUN.flags, tokens);
  if (flags.help) return { kind: "help", text: helpOf(RUN) };
  if (flags.version) return { kind: "version" };
  return { kind: "run", flags };
}

function checkConfigCommand(tokens: readonly FlagToken[], files: readonly string[]): CommandLine {
  const flags = readFlags(CHECK_CONFIG.flags, tokens);
  if (flags.help) return { kind: "help", text: helpOf(CHECK_CONFIG) };
  if (files.length === 0)
    throw new UsageError(`${CHECK_CONFIG.name}: expected at least one ${CHECK_CONFIG.argumentName}`);
  return { kind: "check-config", files };
}

/** Tolerant of unknown flags, so that this file can say what is wrong with them. */
function tokenize(argv: readonly string[]) {
  const flags = COMMANDS.flatMap((command: Command) => Object.values(command.flags));
  const options = Object.fromEntries(
    flags.map(({ name, short, placeholder }) => {
      const type: "string" | "boolean" = placeholder === undefined ? "boolean" : "string";
      return [name, { type, ...(short === undefined ? {} : { short }) }];
    }),
  );
  return parseArgs({
    args: [...argv],
    options,
    strict: false,
    tokens: true,
    allowNegative: true,
    allowPositionals: true,
  }).tokens;
}

function flagNames(table: FlagTable): readonly string[] {
  return Object.values(table).map(({ name }) => name);
}

function refuseUnknownFlag(token: FlagToken, argv: readonly string[], names: readonly string[], where: string): void {
  if (names.includes(token.name)) return;
  // The whole argument, since parseArgs takes -log.level for a row of one-letter flags.
  const [flag = ""] = (argv[token.index] ?? token.rawName).split("=");
  const hint = suggestion(
    flag,
    names.map((name) => `--${name}`),
  );
  throw new UsageError(`unknown flag "${flag}" for ${where.trim()}${hint}`);
}

function readFlags<Table extends FlagTable>(table: Table, tokens: readonly FlagToken[]): FlagValues<Table> {
  const entries = Object.entries(table).map(([key, flag]) => {
    const given = tokens.filter(({ name }) => name === flag.name);
    if (flag.isRepeatable === true && given.length > 0) {
      return [key, given.flatMap((token) => parseValue(flag.name, textValue(token), flag.parse))];
    }
    const [token, ...more] = given;
    if (more.length > 0) throw new UsageError(`flag --${flag.name} is given more than once`);
    if (token === undefined) return [key, flag.defaultValue];
    const isSwitch = flag.placeholder === undefined;
    return [key, parseValue(flag.name, isSwitch ? switchValue(token) : textValue(token), flag.parse)];
  });
  return Object.fromEntries(entries);
}

function switchValue(token: FlagToken): string {
  if (token.value !== undefined)
    throw new UsageError(`flag --${token.name} takes no value; write --no-${token.name} to switch it off`);
  return String(!token.rawName.startsWith("--no-"));
}

function textValue(token: FlagToken): string {
  if (token.rawName.startsWith("--no-"))
    throw new UsageError(`flag --${token.name} cannot be negated; give it a value`);
  // A value that looks like a flag is more likely a forgotten value; with = it is taken as it is.
  if (token.value === undefined || (!token.inlineValue && token.value.startsWith("-"))) {
    throw new UsageError(`flag --${token.name} needs a value; write --${token.name}=VALUE`);
  }
  return token.value;
}

function parseValue<T>(name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`flag --${name}: ${error.message}`);
    throw error;
  }
}
