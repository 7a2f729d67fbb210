import { type ClassItem, perlClass, posixClass, rangeItem, unicodeClass } from "./code-point-class.ts";
import type { Re2Scanner } from "./re2-scanner.ts";

const CONTROL_ESCAPES: Readonly<Record<string, number>> = { a: 7, f: 12, t: 9, n: 10, r: 13, v: 11 };
const NUMERIC_ESCAPE = /^\\(?:(0[0-7]{0,2}|[1-7][0-7]{1,2})|x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]{1,8})\})/;
const UNICODE_CLASS = /^\\([pP])(?:([^{])|\{(\^?)([^}]*)\})/u;
const MAX_CODE_POINT = 0x10ffff;

/** What stands between brackets, from after the opening one to after the closing one. */
export function readClass(scanner: Re2Scanner): { readonly items: readonly ClassItem[]; readonly negated: boolean } {
  const start = scanner.offset - 1;
  const negated = scanner.take("^");
  const items: ClassItem[] = [];
  // A closing bracket that comes first is a member.
  while (items.length === 0 || !scanner.looksAt("]")) {
    if (scanner.isAtEnd) scanner.fail('a class without "]"', start);
    items.push(readPosixClass(scanner) ?? readClassEscape(scanner) ?? readRange(scanner));
  }
  scanner.skip(1);
  return { items, negated };
}

/** `\d`, `\pL`, `\p{Greek}` and their like; undefined when something else comes. */
export function readClassEscape(scanner: Re2Scanner): ClassItem | undefined {
  if (!scanner.looksAt("\\")) return undefined;
  const perl = perlClass(scanner.peek(1));
  if (perl !== undefined) {
    scanner.skip(2);
    return perl;
  }
  const [whole, sign, short, not, long = ""] = UNICODE_CLASS.exec(scanner.rest) ?? [];
  if (whole === undefined) return undefined;
  const item = unicodeClass(short ?? long, (sign === "P") !== (not === "^"));
  if (item === undefined) scanner.fail(`an unknown class "${whole}"`);
  scanner.skip(whole.length);
  return item;
}

/** The code point that a backslash and what follows it stand for. */
export function readEscape(scanner: Re2Scanner): number {
  const [whole, octal, hex, longHex] = NUMERIC_ESCAPE.exec(scanner.rest) ?? [];
  if (whole === undefined) return readLetterEscape(scanner);
  const codePoint = octal === undefined ? Number.parseInt(hex ?? longHex ?? "", 16) : Number.parseInt(octal, 8);
  if (codePoint > MAX_CODE_POINT) scanner.fail(`"${whole}", which is no character`);
  scanner.skip(whole.length);
  return codePoint;
}

function readLetterEscape(scanner: Re2Scanner): number {
  const letter = scanner.peek(1);
  const control = CONTROL_ESCAPES[letter];
  if (control === undefined && /^[1-9]$/.test(letter)) scanner.fail("a back reference, which RE2 does not have");
  // Any other character of ASCII stands for itself.
  if (control === undefined && !(letter < "\x80" && letter !== "")) scanner.fail("a backslash that escapes nothing");
  if (control === undefined && /^[0-9A-Za-z]$/.test(letter)) scanner.fail(`an unknown escape sequence "\\${letter}"`);
  scanner.skip(2);
  return control ?? letter.charCodeAt(0);
}

function readPosixClass(scanner: Re2Scanner): ClassItem | undefined {
  const [whole, name = ""] = /^\[:(.*?):\]/s.exec(scanner.rest) ?? [];
  if (whole === undefined) return undefined;
  const item = posixClass(name);
  if (item === undefined) scanner.fail(`an unknown class "${whole}"`);
  scanner.skip(whole.length);
  return item;
}

function readRange(scanner: Re2Scanner): ClassItem {
  const start = scanner.offset;
  const first = readMember(scanner);
  if (!scanner.looksAt("-") || scanner.peek(1) === "]") return rangeItem(first, first);
  scanner.skip(1);
  const last = readMember(scanner);
  if (last < first) scanner.fail("a range from more to less", start);
  return rangeItem(first, last);
}

function readMember(scanner: Re2Scanner): number {
  if (scanner.isAtEnd) scanner.fail('a class without "]"');
  return scanner.looksAt("\\") ? readEscape(scanner) : scanner.takeCodePoint();
}
