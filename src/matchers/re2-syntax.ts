import { type ClassItem, type CodePointTest, classTest, rangeItem } from "./code-point-class.ts";
import { readClass, readClassEscape, readEscape } from "./re2-class-syntax.ts";
import { Re2Scanner } from "./re2-scanner.ts";

export type Assertion = "begin-text" | "end-text" | "begin-line" | "end-line" | "word-boundary" | "no-word-boundary";

/** A regular expression as a tree. Groups are gone, since nobody asks what they captured; so is laziness. */
export type Re2Node =
  | { readonly kind: "character"; readonly test: CodePointTest }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "sequence"; readonly nodes: readonly Re2Node[] }
  | { readonly kind: "choice"; readonly nodes: readonly Re2Node[] }
  /** `max` is Infinity for no bound. */
  | { readonly kind: "repeat"; readonly node: Re2Node; readonly min: number; readonly max: number };

/** RE2's own bounds. */
const MAX_REPEAT = 1000;
const MAX_DEPTH = 1000;

const ASSERTION_ESCAPES: Readonly<Record<string, Assertion>> = {
  A: "begin-text",
  z: "end-text",
  b: "word-boundary",
  B: "no-word-boundary",
};

const LOOK_AROUND = /^\(\?<?[=!]/;
const NAMED_GROUP = /^\(\?P?<\w+>/;
const FLAGS = /^\(\?([imsU]*)(?:-([imsU]+))?([:)])/;
/** With leading zeros it is no count. */
const COUNT = /^\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}/;

interface Flags {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly dotAll: boolean;
}

interface Repetition {
  readonly min: number;
  readonly max: number;
  readonly width: number;
}

/**
 * Reads RE2's syntax as Go's regexp package does, `.` matching line breaks as in Prometheus 3. Refuses what that refuses:
 * look-around, back references, `\C`, stacked repetitions. Throws a Re2SyntaxError.
 */
export function parseRe2(pattern: string): Re2Node {
  return new Parser(pattern).parse();
}

class Parser {
  readonly #scanner: Re2Scanner;
  #depth = 0;
  #flags: Flags = { ignoreCase: false, multiline: false, dotAll: true };

  constructor(text: string) {
    this.#scanner = new Re2Scanner(text);
  }

  parse(): Re2Node {
    const node = this.#choice();
    if (!this.#scanner.isAtEnd) this.#scanner.fail('a ")" without "("; write "\\)" for the character');
    return node;
  }

  /** Up to the end or a closing parenthesis. */
  #choice(): Re2Node {
    const first = this.#sequence();
    const others: Re2Node[] = [];
    while (this.#scanner.take("|")) others.push(this.#sequence());
    return others.length === 0 ? first : { kind: "choice", nodes: [first, ...others] };
  }

  #sequence(): Re2Node {
    const nodes: Re2Node[] = [];
    let isRepeated = false;
    while (!this.#scanner.isAtEnd && !this.#scanner.looksAt("|") && !this.#scanner.looksAt(")")) {
      const repetition = this.#repetition();
      if (repetition === undefined) nodes.push(...this.#part());
      else nodes.push(this.#repeat(isRepeated ? "repeated" : nodes.pop(), repetition));
      isRepeated = repetition !== undefined;
    }
    return { kind: "sequence", nodes };
  }

  /** Nothing for a change of flags; a repetition after it concerns what comes before, as after an empty `\Q\E`. */
  #part(): readonly Re2Node[] {
    if (this.#scanner.take("\\Q")) return this.#quoted();
    if (!this.#scanner.looksAt("(")) return [this.#atom()];
    const group = this.#group();
    return group === undefined ? [] : [group];
  }

  #quoted(): readonly Re2Node[] {
    // Prometheus adds to an expression, and what it adds would be quoted.
    if (!this.#scanner.rest.includes("\\E")) this.#scanner.fail('a "\\Q" without "\\E"');
    return Array.from(this.#scanner.takeUntil("\\E"), (text) => this.#literal(text.codePointAt(0) ?? 0));
  }

  #repeat(node: Re2Node | "repeated" | undefined, { min, max, width }: Repetition): Re2Node {
    const sign = this.#scanner.peek();
    if (node === undefined) this.#scanner.fail(`"${sign}" after nothing; write "\\${sign}" for the character`);
    if (node === "repeated") this.#scanner.fail("a repetition of a repetition; put parentheses around the first one");
    if (min > max) this.#scanner.fail("a repetition from more to less");
    if (min > MAX_REPEAT || (max > MAX_REPEAT && max !== Number.POSITIVE_INFINITY)) {
      this.#scanner.fail(`a repetition of more than ${MAX_REPEAT} times`);
    }
    this.#scanner.skip(width);
    this.#scanner.take("?");
    return { kind: "repeat", node, min, max };
  }

  /** The repetition that comes next, which is not consumed. */
  #repetition(): Repetition | undefined {
    switch (this.#scanner.peek()) {
      case "*":
        return { min: 0, max: Number.POSITIVE_INFINITY, width: 1 };
      case "+":
        return { min: 1, max: Number.POSITIVE_INFINITY, width: 1 };
      case "?":
        return { min: 0, max: 1, width: 1 };
      case "{":
        return readCount(this.#scanner.rest);
      default:
        return undefined;
    }
  }

  /** Undefined for what matches nothing by itself: a change of flags. */
  #group(): Re2Node | undefined {
    const start = this.#scanner.offset;
    const outerFlags = this.#flags;
    if (this.#openGroup() === "flags") return undefined;
    this.#depth++;
    if (this.#depth > MAX_DEPTH) this.#scanner.fail(`more than ${MAX_DEPTH} groups within each other`, start);
    const node = this.#choice();
    if (!this.#scanner.take(")")) this.#scanner.fail('a "(" without ")"', start);
    this.#depth--;
    this.#flags = outerFlags;
    return node;
  }

  #openGroup(): "group" | "flags" {
    const { rest } = this.#scanner;
    if (!rest.startsWith("(?")) {
      this.#scanner.skip(1);
      return "group";
    }
    if (LOOK_AROUND.test(rest)) this.#scanner.fail("look-around, which RE2 does not have");
    const [opening] = NAMED_GROUP.exec(rest) ?? [];
    if (opening !== undefined) {
      this.#scanner.skip(opening.length);
      return "group";
    }
    const [flagGroup, on = "", off = "", end] = FLAGS.exec(rest) ?? [];
    if (flagGroup === undefined) this.#scanner.fail(`an unknown kind of group "${rest.slice(0, 4)}"`);
    this.#flags = changeFlags(changeFlags(this.#flags, on, true), off, false);
    this.#scanner.skip(flagGroup.length);
    return end === ")" ? "flags" : "group";
  }

  #atom(): Re2Node {
    const { dotAll, multiline } = this.#flags;
    switch (this.#scanner.peek()) {
      case "\\":
        return this.#escaped();
      case "[": {
        this.#scanner.skip(1);
        const { items, negated } = readClass(this.#scanner);
        return this.#classOf(items, negated);
      }
      case ".":
        this.#scanner.skip(1);
        return { kind: "character", test: (codePoint) => dotAll || codePoint !== 10 };
      case "^":
        this.#scanner.skip(1);
        return { kind: "assertion", assertion: multiline ? "begin-line" : "begin-text" };
      case "$":
        this.#scanner.skip(1);
        return { kind: "assertion", assertion: multiline ? "end-line" : "end-text" };
      default:
        return this.#literal(this.#scanner.takeCodePoint());
    }
  }

  #escaped(): Re2Node {
    const assertion = ASSERTION_ESCAPES[this.#scanner.peek(1)];
    if (assertion !== undefined) {
      this.#scanner.skip(2);
      return { kind: "assertion", assertion };
    }
    const item = readClassEscape(this.#scanner);
    return item === undefined ? this.#literal(readEscape(this.#scanner)) : this.#classOf([item], false);
  }

  #literal(codePoint: number): Re2Node {
    if (this.#flags.ignoreCase) return this.#classOf([rangeItem(codePoint, codePoint)], false);
    return { kind: "character", test: (other) => other === codePoint };
  }

  #classOf(items: readonly ClassItem[], negated: boolean): Re2Node {
    return { kind: "character", test: classTest(items, { negated, ignoreCase: this.#flags.ignoreCase }) };
  }
}

/** `{3}`, `{3,}` or `{3,5}` at the beginning; undefined when the brace stands for itself. */
function readCount(text: string): Repetition | undefined {
  const [whole, min, comma, max] = COUNT.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const least = boundedNumber(min);
  const most = max === undefined ? Number.POSITIVE_INFINITY : boundedNumber(max);
  return { min: least, max: comma === undefined ? least : most, width: whole.length };
}

/** So many digits that they overflow are not to be taken for no bound. */
function boundedNumber(digits: string | undefined): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER);
}

/** `U` swaps greedy and lazy, which makes no difference to whether a text matches. */
function changeFlags(flags: Flags, letters: string, value: boolean): Flags {
  return {
    ignoreCase: letters.includes("i") ? value : flags.ignoreCase,
    multiline: letters.includes("m") ? value : flags.multiline,
    dotAll: letters.includes("s") ? value : flags.dotAll,
  };
}
