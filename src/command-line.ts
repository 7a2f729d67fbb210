import { parseArgs } from "node:util";
import { EVACUATE, GROUPS_DELETE, GROUPS_LIST, PLAN } from "./cli/client-flags.ts";
import type { ClientCommandLine } from "./cli/run-client.ts";
import { COMMANDS } from "./commands.ts";
import { parseServerAddress } from "./config/address.ts";
import { suggestion } from "./did-you-mean.ts";
import {
  CHECK_CONFIG,
  type Command,
  type FlagTable,
  type FlagValues,
  HELP,
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
  | ClientCommandLine
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "version" };

/** The command line makes no sense. The message says what was expected. */
export class UsageError extends Error {
  override readonly name = "UsageError";
  /** Whose help tells more: the one that was named, if any was. */
  command: Command = RUN;
}

type Token = ReturnType<typeof tokenize>[number];
type FlagToken = Extract<Token, { kind: "option" }>;

/** `argv` without the program. Throws a UsageError. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const tokens = tokenize(argv);
  const flagTokens = tokens.filter((token) => token.kind === "option");
  const words = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const command = findCommand(words);
  if (command === undefined) {
    // Before the words: what seems to be a command may be the value of such a flag.
    const known = COMMANDS.flatMap(({ flags }) => flagNames(flags));
    for (const token of flagTokens) refuseUnknownFlag(token, argv, known, PROGRAM);
    return refuseUnknownCommand(words);
  }
  try {
    return parseCommand(command, argv, flagTokens, words.slice(wordsOf(command).length));
  } catch (error) {
    if (error instanceof UsageError) error.command = command;
    throw error;
  }
}

function parseCommand(
  command: Command,
  argv: readonly string[],
  flagTokens: readonly FlagToken[],
  rest: readonly string[],
): CommandLine {
  for (const token of flagTokens)
    refuseUnknownFlag(token, argv, flagNames(command.flags), `${PROGRAM} ${command.name}`);
  // Asked for first, so that it can be had whatever else is wrong.
  if (readFlags({ help: HELP }, flagTokens).help) return { kind: "help", text: helpOf(command) };
  checkArguments(command, rest);
  if (command === CHECK_CONFIG) return { kind: "check-config", files: rest };
  if (command === PUSHGATEWAY) return pushgatewayCommand(flagTokens);
  return clientCommand(command, flagTokens, rest) ?? runCommand(flagTokens);
}

/** The command that the words begin with, if there is one. */
function findCommand(words: readonly string[]): Command | undefined {
  if (words.length === 0) return RUN;
  const isAtStart = (command: Command) => wordsOf(command).every((word, index) => word === words[index]);
  return COMMANDS.find((command) => command !== RUN && isAtStart(command));
}

function refuseUnknownCommand(words: readonly string[]): never {
  const names = COMMANDS.flatMap(({ name }) => (name === "" ? [] : [name]));
  const more = names.filter((name) => name.startsWith(`${words[0]} `));
  if (more.length > 0) throw new UsageError(`expected one of the commands ${more.join(", ")}`);
  throw new UsageError(`unknown command "${words[0]}"${suggestion(words[0] ?? "", names)}`);
}

function wordsOf({ name }: Command): readonly string[] {
  return name === "" ? [] : name.split(" ");
}

function checkArguments({ name, argumentName, takesSeveral = false }: Command, given: readonly string[]): void {
  const most = argumentName === undefined ? 0 : takesSeveral ? given.length : 1;
  if (given.length > most) throw new UsageError(`${name}: unexpected argument "${given[most]}"`);
  if (argumentName !== undefined && given.length === 0) {
    throw new UsageError(`${name}: expected ${takesSeveral ? "at least one" : "a"} ${argumentName}`);
  }
}

/** Undefined: the command asks no router. */
function clientCommand(
  command: Command,
  tokens: readonly FlagToken[],
  [argument = ""]: readonly string[],
): ClientCommandLine | undefined {
  switch (command) {
    case GROUPS_LIST:
      return { kind: "groups-list", flags: readFlags(GROUPS_LIST.flags, tokens) };
    case GROUPS_DELETE: {
      const flags = readFlags(GROUPS_DELETE.flags, tokens);
      if (flags.match.length === 0) throw new UsageError(`${command.name}: expected at least one --match=SELECTOR`);
      return { kind: "groups-delete", flags };
    }
    case PLAN: {
      const flags = readFlags(PLAN.flags, tokens);
      if (flags.add.length + flags.remove.length === 0) {
        throw new UsageError(`${command.name}: expected at least one --add=HOST:PORT or --remove=HOST:PORT`);
      }
      return { kind: "plan", flags };
    }
    case EVACUATE: {
      const address = parseOrRefuse(command.name, argument, (text) => parseServerAddress(text));
      return { kind: "evacuate", flags: readFlags(EVACUATE.flags, tokens), address };
    }
    default:
      return undefined;
  }
}

function pushgatewayCommand(tokens: readonly FlagToken[]): CommandLine {
  const flags = readFlags(PUSHGATEWAY.flags, tokens);
  if (flags.version) return { kind: "version" };
  return { kind: "pushgateway", flags };
}

function runCommand(tokens: readonly FlagToken[]): CommandLine {
  const flags = readFlags(RUN.flags, tokens);
  if (flags.version) return { kind: "version" };
  return { kind: "run", flags };
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
  return parseOrRefuse(`flag --${name}`, text, parse);
}

function parseOrRefuse<T>(what: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`${what}: ${error.message}`);
    throw error;
  }
}
