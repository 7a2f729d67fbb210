/** What a command prints, and how it ends. */
export interface CommandResult {
  readonly stdout: string;
  /** Remarks beside the result, each a line; empty when there are none. */
  readonly stderr: string;
  /** 0: done. 1: done in part only; `stderr` says what is missing. */
  readonly exitCode: 0 | 1;
}

export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

/** `1 group`, `2 groups`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** A line for the members that could not be asked; empty when all were. */
export function missingMembersText(addresses: readonly string[], consequence: string): string {
  return addresses.length === 0 ? "" : `Could not ask ${addresses.join(", ")}: ${consequence}.\n`;
}
