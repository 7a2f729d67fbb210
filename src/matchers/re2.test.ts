import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { compileRe2 } from "./re2.ts";

/** An expression, texts that match it as a whole, and texts that do not. */
const EXPRESSIONS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ["", [""], ["a"]],
  ["spark", ["spark"], ["spark-1", "a spark", "Spark", ""]],
  ["a|b|", ["a", "b", ""], ["ab", "c"]],
  ["a|bc", ["a", "bc"], ["ac", "abc"]],
  ["spark-.*", ["spark-", "spark-é", "spark-a\nb"], ["spark", "-spark-"]],
  [".", ["a", "é", "😀", "\n"], ["", "ab"]],
  ["(?-s).", ["a"], ["\n"]],
  ["a+b?c*", ["a", "aab", "abccc"], ["", "abb", "b"]],
  ["a{2}", ["aa"], ["a", "aaa"]],
  ["a{2,}", ["aa", "aaaa"], ["a"]],
  ["a{1,2}?", ["a", "aa"], ["", "aaa"]],
  ["(ab){0,2}c", ["c", "abc", "ababc"], ["abababc"]],
  ["a{,2}", ["a{,2}"], ["a", "aa"]],
  ["a{01}|{|}|a{", ["a{01}", "{", "}", "a{"], ["a"]],
  ["[a-c]x", ["ax", "cx"], ["dx", "x"]],
  ["[^a-c]", ["d", "\n", "é"], ["a", ""]],
  ["[]a]", ["]", "a"], ["b"]],
  ["[^]a]", ["b"], ["]", "a"]],
  ["[a-]", ["a", "-"], ["b"]],
  ["[-a]", ["a", "-"], ["b"]],
  ["[a.*]", ["a", ".", "*"], ["b"]],
  ["[[:alpha:][:^space:]]", ["a", "1"], [" ", "\n"]],
  ["[[:punct:]]", ["!", "[", "]", "`", "\\", "/", "{", "~"], ["a", " "]],
  ["[[:alpha]", ["[", ":", "a", "h"], ["b"]],
  ["\\d\\D\\s\\S\\w\\W", ["1a b_-"], ["aa b_-"]],
  ["\\d", ["7"], ["٣"]],
  ["\\w", ["a", "_"], ["é", "-"]],
  ["\\s", [" ", "\t"], ["\u00a0", "\v"]],
  ["[\\d\\-x]", ["1", "-", "x"], ["a"]],
  ["\\pL+", ["aé"], ["1"]],
  ["\\p{Greek}", ["α"], ["a"]],
  ["\\p{^Greek}\\PL", ["a1"], ["α1", "aa"]],
  ["[\\P{L}x]", ["x", "1"], ["a"]],
  ["\\.\\*\\/\\-\\_\\\\", [".*/-_\\"], ["ab"]],
  ["\\x41\\x{1F600}\\101\\0", ["A😀A\0"], ["A"]],
  ["\\a\\f\\t\\n\\r\\v", ["\x07\f\t\n\r\v"], [""]],
  ["\\Qa.b*\\E*c", ["a.bc", "a.b**c"], ["aab*c"]],
  ["a\\Q\\E*", ["", "aa"], ["b"]],
  ["ab(?i)*c", ["ac", "abbC"], ["aBc", "ababc"]],
  ["(?i)Spark", ["SPARK", "spark"], ["sparc"]],
  ["(?i)k", ["K", "\u212a"], ["c"]],
  ["(?i)[^k]", ["a"], ["K", "k", "\u212a"]],
  ["(?i:a)b", ["Ab", "ab"], ["aB"]],
  ["(?i)a(?-i)b", ["Ab"], ["AB"]],
  ["(a(?i)b)c", ["aBc"], ["aBC", "ABc"]],
  ["(?i)a|b", ["A", "B"], ["c"]],
  ["(?P<x>a)(?<y>b)(?:c)", ["abc"], ["ab"]],
  ["(?U)a*?", ["", "aa"], ["b"]],
  ["^a$", ["a"], ["^a$", "a\n"]],
  ["(^a|b$)*", ["a", "b", ""], ["aa", "bb"]],
  ["(?m)^a$\n^b$", ["a\nb"], ["a b"]],
  ["(?m)a.*^b.*", ["a\nb"], ["ab"]],
  ["\\Aa\\z", ["a"], ["ba"]],
  ["a.*\\bb.*", ["a b", "a-b"], ["ab", "acb"]],
  ["a\\Bb", ["ab"], ["a b"]],
  ["(a*)*|(b|)+", ["", "aa", "bb"], ["ab"]],
  ["(?:)*|x", ["", "x"], ["xx"]],
  ["[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", ["123e4567-e89b-12d3-a456-426614174000"], ["123e4567"]],
  ["a{1000}".repeat(19), ["a".repeat(19_000)], ["a"]],
  [".*a.{3}", ["abcd", "aabcd"], ["abc"]],
];

/** What RE2 refuses, what is said about it, and where it stands if that is certain. */
const REFUSED: readonly (readonly [string, string, number | undefined])[] = [
  ["a(?=b)", "look-around", 1],
  ["(?<!a)b", "look-around", 0],
  ["(a)\\1", "invalid escape sequence: \\1", 3],
  ["\\C", "invalid escape sequence", 0],
  ["\\Z", "invalid escape sequence", 0],
  ["a\\", "trailing backslash", undefined],
  ["\\é", "invalid escape sequence", 0],
  ["\\Qa", '"\\Q" without "\\E"', undefined],
  ["*a", "missing argument to repetition operator: *", 0],
  ["a|+", "missing argument to repetition operator: +", 2],
  ["a**", "nested repetition", 1],
  ["a++", "nested repetition", 1],
  ["a{2,1}", "invalid repeat count", 1],
  ["a{1001}", "invalid repeat count", 1],
  [`a{0,${"9".repeat(400)}}`, "invalid repeat count", 1],
  ["((a{100}){100}){100}", "invalid repeat count: {100}", undefined],
  ["((()){1000}){1000}", "too large", undefined],
  ["a{1000}".repeat(1390), "too large", undefined],
  ["a{1000}".repeat(21), "too large", undefined],
  [`(${"a".repeat(1300)})(?i){1000}`, "too large", undefined],
  [`[+-[:alpha:](${"a".repeat(30)}){1000}]`.repeat(3), "too large", undefined],
  [`${"a{1000}".repeat(1390)}\\Q`, '"\\Q"', undefined],
  ["\\pL".repeat(101), "more than 100 classes", undefined],
  [`(?i)${"[B-\u{1E921}]".repeat(101)}`, "more than 100 classes", undefined],
  ["(a", "missing closing )", undefined],
  ["a)", "unexpected )", undefined],
  ["[a", "missing closing ]", 0],
  ["[]", "missing closing ]", 0],
  ["[b-a]", "invalid character class range: b-a", 1],
  ["[a-\\d]", "invalid escape sequence: \\d", 3],
  ["[[:alfa:]]", "invalid character class range: [:alfa:]", 1],
  ["[[:constructor:]]", "invalid character class range: [:constructor:]", 1],
  ["\\p{Klingon}", "invalid character class range: \\p{Klingon}", 0],
  ["(?x)a", "unsupported Perl syntax: (?x", 0],
  ["(?>a)", "unsupported Perl syntax: (?>", 0],
  ["\\x{110000}", "invalid escape sequence", 0],
  ["(?P<a>a)(?P<a>b)", "duplicate capture group name", undefined],
  ["*a|*", "missing argument to repetition operator: *", undefined],
  ["(".repeat(1001) + ")".repeat(1001), "nests too deeply", undefined],
];

describe("compileRe2()", () => {
  test.each(EXPRESSIONS)("matches %p", (pattern, matching, others) => {
    const matches = compileRe2(pattern);
    expect(matching.filter((text) => !matches(text))).toEqual([]);
    expect(others.filter((text) => matches(text))).toEqual([]);
    // Once more, from what has been kept.
    expect(matching.filter((text) => !matches(text))).toEqual([]);
    expect(others.filter((text) => matches(text))).toEqual([]);
  });

  test.each(REFUSED)("refuses %p", (pattern, message, offset) => {
    expect(() => compileRe2(pattern)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(message), offset }),
    );
  });

  test.each(["(a+)+b", "(a|a)*b", "(a*)*b", "a*a*a*a*a*a*a*a*b", "(.*a){20}b", "(a?){500}a{500}b"])(
    "needs no backtracking for %p",
    (pattern) => {
      expect(compileRe2(pattern)("a".repeat(20_000))).toBe(false);
    },
  );

  test("goes on when what it keeps has become too much", () => {
    const matches = compileRe2(".*xy|[^x]+y");
    const everyCharacter = Array.from({ length: 51_000 }, (_, i) => String.fromCodePoint(0x10000 + i)).join("");
    expect(matches(`${everyCharacter}y`)).toBe(true);
    expect(matches(everyCharacter)).toBe(false);
    expect(matches(`${everyCharacter}xy`)).toBe(true);
  });

  test("decides as JavaScript does where both mean the same", () => {
    const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "(a|b)", "(ab|)", "\\w", "\\b", "^", "$", "(?:b)");
    const piece = fc.tuple(atom, fc.constantFrom("", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}"));
    // JavaScript cannot repeat an assertion.
    const piecePattern = piece.map(([one, repeat]) => (/[b^$]$/.test(one) && one !== "b" ? one : one + repeat));
    const pattern = fc.array(fc.array(piecePattern, { maxLength: 4 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        pattern,
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "-") }), { maxLength: 6 }),
        (tree, texts) => {
          const source = tree.map((branch) => branch.join("")).join("|");
          const expected = new RegExp(`^(?:${source})$`, "su");
          const matches = compileRe2(source);
          for (const text of texts) expect([source, text, matches(text)]).toEqual([source, text, expected.test(text)]);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
