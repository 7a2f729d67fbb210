import { createRequire } from "node:module";
import { refuseLargeExpression } from "./re2-size.ts";
import { Re2SyntaxError } from "./re2-syntax-error.ts";

type Re2js = typeof import("re2js");

/** Longer parts of an expression are cut in messages. */
const SHOWN_LENGTH = 40;

const LOOK_AROUND = /^\(\?<?[=!]/;

/**
 * Compiles a regular expression of RE2; the function tells whether it matches the whole text, `.` matching line breaks as in
 * Prometheus 3. A text takes time in proportion to its length, whatever the expression. Throws a Re2SyntaxError.
 */
export function compileRe2(pattern: string): (text: string) => boolean {
  const library = re2js();
  refuseLargeExpression(pattern, library);
  const expression = compile(pattern, library);
  return (text) => expression.testExact(text);
}

function compile(pattern: string, { RE2JS, RE2JSSyntaxException }: Re2js): InstanceType<Re2js["RE2JS"]> {
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    throw syntaxError(pattern, error.error, error.input ?? undefined);
  }
}

/** Loaded when first asked for, with the grammar and for the same reason (ADR 11). */
function re2js(): Re2js {
  return createRequire(import.meta.url)("re2js") as Re2js;
}

/** In the words of RE2, which Prometheus shows, too. `part` is what they are about. */
function syntaxError(pattern: string, description: string, part: string | undefined): Re2SyntaxError {
  // A part that ends with the whole expression is all of it and the flags before it, which says nothing about the place.
  if (part === undefined || part.length > pattern.length) return new Re2SyntaxError(description);
  const first = pattern.indexOf(part);
  const offset = first !== -1 && first === pattern.lastIndexOf(part) ? first : undefined;
  if (LOOK_AROUND.test(part)) return new Re2SyntaxError("look-around, which RE2 does not have", offset);
  return new Re2SyntaxError(`${description}: ${part.replaceAll(/\s/g, " ").slice(0, SHOWN_LENGTH)}`, offset);
}
