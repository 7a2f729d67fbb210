/** Whether a code point belongs to a class. */
export type CodePointTest = (codePoint: number) => boolean;

/** The source of what stands between the brackets of a JavaScript class in Unicode mode; `negated`: everything else. */
export interface ClassItem {
  readonly source: string;
  readonly negated: boolean;
}

/** From `first` to `last`, both included. */
export function rangeItem(first: number, last: number): ClassItem {
  return { source: rangeSource(first, last), negated: false };
}

function rangeSource(first: number, last: number): string {
  return `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`;
}

/** RE2's classes are ASCII, unlike those of JavaScript. */
const WORD = "0-9A-Za-z_";
const PERL_CLASSES: Readonly<Record<string, string>> = { d: "0-9", s: "\\t\\n\\f\\r ", w: WORD };
const POSIX_CLASSES: ReadonlyMap<string, string> = new Map([
  ["alnum", "0-9A-Za-z"],
  ["alpha", "A-Za-z"],
  ["ascii", rangeSource(0, 0x7f)],
  ["blank", "\\t "],
  ["cntrl", `${rangeSource(0, 0x1f)}\\x7f`],
  ["digit", "0-9"],
  ["graph", rangeSource(0x21, 0x7e)],
  ["lower", "a-z"],
  ["print", rangeSource(0x20, 0x7e)],
  ["punct", "!-\\/:-@\\[-`\\{-~"],
  ["space", "\\t\\n\\v\\f\\r "],
  ["upper", "A-Z"],
  ["word", WORD],
  ["xdigit", "0-9A-Fa-f"],
]);

/** `\d`, `\S` and their like, by the letter; undefined for other letters. */
export function perlClass(letter: string): ClassItem | undefined {
  const source = PERL_CLASSES[letter.toLowerCase()];
  return source === undefined ? undefined : { source, negated: letter !== letter.toLowerCase() };
}

/** `alpha` of `[[:alpha:]]`, or `^alpha`; undefined when there is no such class. */
export function posixClass(name: string): ClassItem | undefined {
  const negated = name.startsWith("^");
  const source = POSIX_CLASSES.get(negated ? name.slice(1) : name);
  return source === undefined ? undefined : { source, negated };
}

/** A general category such as `L` or `Lu`, a script such as `Greek`, or `Any`; undefined when there is no such class. */
export function unicodeClass(name: string, negated: boolean): ClassItem | undefined {
  if (!/^[A-Za-z_]+$/.test(name)) return undefined;
  const property = name === "Any" ? "Any" : name.length <= 2 ? `gc=${name}` : `Script=${name}`;
  const source = `\\p{${property}}`;
  try {
    new RegExp(source, "u");
    return { source, negated };
  } catch {
    return undefined;
  }
}

/** Members of any of the items, or of none when `negated`. `ignoreCase` adds whatever folds to a member. */
export function classTest(
  items: readonly ClassItem[],
  { negated, ignoreCase }: { readonly negated: boolean; readonly ignoreCase: boolean },
): CodePointTest {
  const compile = (source: string) => new RegExp(`^[${source}]$`, ignoreCase ? "iu" : "u");
  const included = compile(items.map((item) => (item.negated ? "" : item.source)).join(""));
  // JavaScript folds a negated class differently, so what is left out of one is tested by itself.
  const excluded = items.filter((item) => item.negated).map(({ source }) => compile(source));
  return (codePoint) => {
    const character = String.fromCodePoint(codePoint);
    return (included.test(character) || excluded.some((pattern) => !pattern.test(character))) !== negated;
  };
}
