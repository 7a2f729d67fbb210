import type { ByteString } from "../sharding/byte-string.ts";

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
};

/** After the backslash: a byte in hex or octal, or a code point in hex. */
const NUMERIC_ESCAPE = /^(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/;

/** A literal makes no sense. The offset is within the literal. */
export class LiteralError extends Error {
  readonly offset: number;

  constructor(offset: number, message: string) {
    super(message);
    this.offset = offset;
  }
}

/**
 * The bytes that a string literal of PromQL stands for: in double or single quotes with Go's escapes, or in backticks without
 * any. Bytes, because `\xff` is one. Throws a LiteralError.
 */
export function readStringLiteral(literal: string): ByteString {
  const quote = literal.charAt(0);
  if (literal.length < 2 || !literal.endsWith(quote)) throw new LiteralError(0, `missing closing ${quote}`);
  const body = literal.slice(1, -1);
  if (quote === "`") return bytesOf(body);
  let bytes = "";
  for (let i = 0; i < body.length; ) {
    const next = body.indexOf("\\", i);
    const end = next === -1 ? body.length : next;
    bytes += bytesOf(body.slice(i, end));
    if (next === -1) break;
    const { value, width } = readEscape(body.slice(next + 1), quote, next + 1);
    bytes += value;
    i = next + 1 + width;
  }
  return bytes;
}

function readEscape(rest: string, quote: string, offset: number): { value: ByteString; width: number } {
  const letter = rest.charAt(0);
  // The end of the literal was its closing quote, escaped.
  if (letter === "") throw new LiteralError(0, `missing closing ${quote}`);
  const simple = letter === quote ? quote : SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return { value: simple, width: 1 };
  const [whole = "", hexByte, octalByte, shortCodePoint, longCodePoint] = NUMERIC_ESCAPE.exec(rest) ?? [];
  const byte = hexByte === undefined ? Number.parseInt(octalByte ?? "", 8) : Number.parseInt(hexByte, 16);
  if (byte <= 0xff) return { value: String.fromCharCode(byte), width: whole.length };
  const codePoint = Number.parseInt(shortCodePoint ?? longCodePoint ?? "", 16);
  const isSurrogate = codePoint >= 0xd800 && codePoint <= 0xdfff;
  if (codePoint <= 0x10ffff && !isSurrogate) {
    return { value: bytesOf(String.fromCodePoint(codePoint)), width: whole.length };
  }
  throw new LiteralError(
    offset,
    `unknown escape sequence "\\${letter}"; write "\\\\" for a backslash, or put backticks around the text`,
  );
}

function bytesOf(text: string): ByteString {
  return Buffer.from(text, "utf8").toString("latin1");
}
