import { suggestion } from "./did-you-mean.ts";

/** `text` as one of `choices`; otherwise throws a RangeError that lists them. */
export function parseChoice<T extends string>(text: string, choices: readonly T[]): T {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) {
    throw new RangeError(`expected one of ${choices.join(", ")}, got "${text}"${suggestion(text, choices)}`);
  }
  return choice;
}
