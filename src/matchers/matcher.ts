import { type ByteString, decodeUtf8, isValidUtf8 } from "../sharding/byte-string.ts";
import { compileRe2 } from "./re2.ts";
import { Re2SyntaxError } from "./re2-syntax-error.ts";

export type MatchOperator = "=" | "!=" | "=~" | "!~";

/** What a selector demands of one label, `__name__` included. */
export interface Matcher {
  readonly name: ByteString;
  readonly negated: boolean;
  /** Whether the value is what the matcher names, be it `negated` or not. */
  readonly test: (value: ByteString) => boolean;
}

/** The label in which Prometheus keeps the name of a series. */
export const METRIC_NAME = "__name__";

const NON_ASCII = /[\x80-\xff]/;

/** Throws a Re2SyntaxError. */
export function createMatcher(name: ByteString, operator: MatchOperator, operand: ByteString): Matcher {
  const negated = operator.startsWith("!");
  if (operator === "=" || operator === "!=") return { name, negated, test: (value) => value === operand };
  if (!isValidUtf8(operand)) throw new Re2SyntaxError("bytes that are no UTF-8");
  const matchesText = compileRe2(decodeUtf8(operand));
  // A character of an expression is one of the text, not a byte of it.
  return { name, negated, test: (value) => matchesText(NON_ASCII.test(value) ? decodeUtf8(value) : value) };
}

export function matchesValue({ negated, test }: Matcher, value: ByteString): boolean {
  return test(value) !== negated;
}
