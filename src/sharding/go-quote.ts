import { type ByteString, codePointOf, utf8Width } from "./byte-string.ts";

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
};

/** What Go's unicode.IsPrint lets through: letters, marks, numbers, punctuation, symbols and the ASCII space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Printable ASCII without quote and backslash, which is quoted as it is. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * Quotes bytes as text, the way Go's `%q` does, so that a refusal reads exactly as Pushgateway's own. It also makes
 * whatever a client sent fit for a log or an answer: one line, no control characters, well-formed.
 */
export function goQuote(bytes: ByteString): string {
  if (PLAIN.test(bytes)) return `"${bytes}"`;
  let quoted = '"';
  for (let i = 0; i < bytes.length; ) {
    const width = utf8Width(bytes, i);
    quoted += width === 0 ? hexByte(bytes.charCodeAt(i)) : quoteCharacter(codePointOf(bytes.slice(i, i + width)));
    i += Math.max(1, width);
  }
  return `${quoted}"`;
}

function quoteCharacter(codePoint: number): string {
  const character = String.fromCodePoint(codePoint);
  const named = ESCAPES[character];
  if (named !== undefined) return named;
  if (PRINTABLE.test(character)) return character;
  if (codePoint < 0x80) return hexByte(codePoint);
  const hex = codePoint.toString(16);
  return codePoint < 0x10000 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

function hexByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
