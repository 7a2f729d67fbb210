import { Re2SyntaxError } from "./re2-syntax-error.ts";

type Re2js = typeof import("re2js");

/** The largest program of re2js, in instructions: bounds for a process that does nothing else. Its reader refuses more. */
const MAX_SIZE_OF_RE2JS = 1_398_101;

/** So much takes about 0.1 s to compile. */
const MAX_SIZE = 20_000;

/** What the reader takes for as many instructions as leave no more than MAX_SIZE to what stands before it. */
const BALLAST = "(?:){1000}".repeat((MAX_SIZE_OF_RE2JS - MAX_SIZE) / 1000);

/** A mistake after which the reader stops, so that nothing is compiled. */
const STOP = "**";

/** Classes that have hundreds of ranges, and ranges whose members are folded one by one, which may be 125,000. */
const COSTLY = /\\[pP]|-(?:\\x|[^\0-\x7f])/g;
const MAX_COSTLY = 100;

/**
 * Throws a Re2SyntaxError when an expression would take too long to compile or too much memory, as by repetitions of
 * repetitions. Which it is, is for re2js's reader to say, since whoever counts in another way can be deceived.
 */
export function refuseLargeExpression(pattern: string, { RE2JS, RE2JSSyntaxException }: Re2js): void {
  if ((pattern.match(COSTLY)?.length ?? 0) > MAX_COSTLY) {
    throw new Re2SyntaxError(`more than ${MAX_COSTLY} classes of Unicode or ranges of its characters`);
  }
  if (!pattern.includes("\\Q") && isSurelySmall(pattern)) return;
  try {
    RE2JS.compile(`(?:${pattern}${BALLAST})${STOP}`, RE2JS.DOTALL);
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    if (error.error === "expression too large") {
      throw new Re2SyntaxError("an expression that is too large, repetitions written out");
    }
    // A quotation without end takes in the ballast; Prometheus refuses it for a like reason. Other mistakes are met again.
    if (error.input !== STOP && pattern.includes("\\Q")) {
      throw new Re2SyntaxError('a "\\Q" without "\\E", or another mistake in an expression with "\\Q"');
    }
  }
}

/** Spares most expressions the reader's count: nothing is written out more often than all counts together say. */
function isSurelySmall(pattern: string): boolean {
  const counts = Array.from(pattern.matchAll(/\{(\d+)(?:,(\d*))?/g), ([, min, max]) =>
    Math.max(Number(min), Number(max ?? 0)),
  );
  return counts.length === 0 || counts.reduce((size, count) => size * (count + 1), 2 * pattern.length) <= MAX_SIZE;
}
