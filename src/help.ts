import { COMMANDS } from "./commands.ts";
import { type Command, type Flag, PROGRAM } from "./flags.ts";

/** Where descriptions begin. A flag that reaches into them gets a line of its own, as in Prometheus' help. */
const DESCRIPTION_COLUMN = 31;
const LINE_WIDTH = 100;

/** The text of `--help` for a command. */
export function helpOf(command: Command): string {
  const sections = [`usage: ${usageOf(command)}`, wrap(command.help, 0), `Flags:\n${flagLines(command)}`];
  if (command.name === "") {
    const others = COMMANDS.filter(({ name }) => name !== "");
    sections.push(`Commands:\n${others.map((other) => entry(commandLine(other), other.help)).join("\n")}`);
  }
  return `${sections.join("\n\n")}\n`;
}

/** `dynamic-sharding check-config [<flags>] <file>...` */
function usageOf(command: Command): string {
  if (command.name === "") return `${PROGRAM} [<flags>] [<command>]`;
  return `${PROGRAM} ${commandLine(command)}`.replace(command.name, `${command.name} [<flags>]`);
}

function commandLine({ name, argumentName, takesSeveral = false }: Command): string {
  return argumentName === undefined ? name : `${name} <${argumentName}>${takesSeveral ? "..." : ""}`;
}

function flagLines({ flags }: Command): string {
  return Object.values(flags)
    .map((flag) => entry(flagSyntax(flag), flag.help))
    .join("\n");
}

function flagSyntax({ name, short, placeholder }: Flag<unknown>): string {
  const prefix = short === undefined ? "    " : `-${short}, `;
  return `${prefix}--${name}${placeholder === undefined ? "" : `=${placeholder}`}`;
}

function entry(syntax: string, description: string): string {
  const head = `  ${syntax}`;
  const text = wrap(description, DESCRIPTION_COLUMN);
  if (head.length + 2 > DESCRIPTION_COLUMN) return `${head}\n${" ".repeat(DESCRIPTION_COLUMN)}${text}`;
  return head.padEnd(DESCRIPTION_COLUMN) + text;
}

/** Breaks between words; lines after the first are indented. */
function wrap(text: string, indent: number): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines.splice(-1, 1, word);
    else if (indent + line.length + 1 + word.length <= LINE_WIDTH) lines.splice(-1, 1, `${line} ${word}`);
    else lines.push(word);
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}
