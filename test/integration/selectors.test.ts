import { afterAll, beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { compileRe2 } from "../../src/matchers/re2.ts";
import { parseSelector } from "../../src/matchers/selector.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";

/** Set SELECTORS_SEED to try other expressions. */
const { SELECTORS_SEED = "20261130" } = process.env;
const SEED = Number(SELECTORS_SEED);

const TEST_TIMEOUT_MS = 60_000;

/** Texts with and without what the expressions below look for. Line breaks are left out: `.` matches them since 3.0 only. */
const TEXTS = [
  "",
  "a",
  "b",
  "ab",
  "aB",
  "ba",
  "a-b",
  "a b",
  "aab",
  "abab",
  "é",
  "aé",
  "k",
  "K",
  "1",
  "_",
  "]",
  "\\",
  "{2}",
];

const EXPRESSIONS = [
  "a**",
  "a++",
  "a{2}",
  "a{,2}",
  "{2}",
  "a{02}",
  "a{1001}",
  "a{1,0}",
  "*",
  "a|*",
  "(|a)*b",
  "()",
  "(?:)*",
  "(?i)AB",
  "(?i)a(?-i)b",
  "(?i)[^k]",
  "(?i)k",
  "(?U)a+?b",
  "(?x)a",
  "(?i",
  "(?P<n>a)b",
  "(?P<>a)",
  "(?=a)",
  "(?!a)b",
  "(?>a)",
  "(a)\\1",
  "\\8",
  "\\C",
  "\\Z",
  "\\z",
  "\\A\\w+\\z",
  "\\w\\b.\\b\\w",
  "a\\B.*",
  "\\Qa-\\Eb",
  "\\Qa",
  "[a-\\d]",
  "[\\d_]",
  "[b-a]",
  "[]]",
  "[^]]",
  "[]",
  "[a-]*",
  "[-a]*",
  "[a-b-k]*",
  "[[:alpha:]]+",
  "[[:^alpha:]]+",
  "[[:word:]",
  "[[:nope:]]",
  "\\pL+",
  "\\p{L}\\PL.*",
  "\\p{Latin}+",
  "\\p{^Latin}+",
  "\\p{Nope}",
  "\\p",
  "\\x61\\142",
  "\\x{61}",
  "\\x{110000}",
  "\\x6",
  "\\0",
  "\\_",
  "\\ ",
  "\\-",
  "\\é",
  "\\",
  "(a",
  "a)",
  "^a$",
  "a^b",
  "(^a|b$)+",
  "(?s).*",
  "(?m)^.b$",
];

const SELECTORS = [
  "up",
  "sum",
  "on",
  "{}",
  "{,}",
  '{a="b"}',
  '{a="b",}',
  '{a="b",,}',
  "{a='b'}",
  "{a=`b`}",
  '{a="b" c="d"}',
  '{a=""}',
  '{a!="b"}',
  '{a=~".*"}',
  '{a=~".+"}',
  '{a!~".+"}',
  '{a=~"("}',
  '{a="\\q"}',
  '{a="\\\'"}',
  '{a="\\x4"}',
  '{a="\\xff"}',
  '{a="\\400"}',
  '{a="\\ud800"}',
  '{a="b}',
  '{a="b\nc"}',
  "{a=`b\nc`}",
  '{a:b="c"}',
  '{1a="c"}',
  '{on="c",by="d",sum="e",offset="f",bool="g",inf="h"}',
  'up{__name__="up"}',
  '{__name__="up",__name__!="down"}',
  '{a=="b"}',
  '{a!"b"}',
  "{a}",
  "{a=b}",
  'a{b="c"} # d',
  '# d\na{b="c"}',
  'a {b="c"}',
  "a:b",
  ":a",
  "1a",
  "é",
  '{a="é"}',
  '{é="a"}',
];

await describeWithParts(["prometheus"], "Prometheus as judge", () => {
  let prometheus: Prometheus;

  beforeAll(async () => {
    prometheus = await startPrometheus({ scrapeConfigs: [] });
  });
  afterAll(() => prometheus.stop());

  /** The texts that an expression matches as a whole; undefined when it is none. */
  async function matchedBy(expression: string): Promise<readonly string[] | undefined> {
    const queries = TEXTS.map((text, i) => {
      const series = `label_replace(label_replace(vector(1), "i", "${i}", "", ""), "text", ${quote(text)}, "", "")`;
      return `label_replace(${series}, "matched", "yes", "text", ${quote(expression)})`;
    });
    try {
      const samples = await prometheus.query(queries.join(" or "));
      const matched = new Set(samples.flatMap(({ labels: { i, matched } }) => (matched === "yes" ? [i] : [])));
      return TEXTS.filter((_, i) => matched.has(String(i)));
    } catch (error) {
      if (String(error).includes("invalid regular expression")) return undefined;
      throw error;
    }
  }

  test(
    "matches and refuses the same expressions",
    async () => {
      for (const expression of EXPRESSIONS) {
        expect([expression, ours(expression)]).toEqual([expression, await matchedBy(expression)]);
      }
    },
    TEST_TIMEOUT_MS,
  );

  // The known differences: re2js refuses what Prometheus takes, so that nothing else is selected than asked for.
  test.each([
    ["a name that two groups have", "(?P<a>a)(?P<a>b)", ["ab"]],
    ["a colon at the end of a class that has a bracket before it", "[[:]|a", ["a"]],
  ])("refuses %s", async (_, expression, matched) => {
    expect(ours(expression)).toBeUndefined();
    expect(await matchedBy(expression)).toEqual(matched);
  });

  test(
    "matches and refuses the same random expressions",
    async () => {
      const unit = fc.constantFrom(
        ..."ab-k1_é]\\[^$|()*+?{}.,2:iQEdwWbBpL".split(""),
        "(?i)",
        "(?:",
        "[^",
        "\\d",
        "[a-",
        "{1,2}",
      );
      const expressions = fc.array(unit, { maxLength: 8 }).map((units) => units.join(""));
      await fc.assert(
        fc.asyncProperty(expressions, async (expression) => {
          // Prometheus puts an expression between parentheses, which may make a whole of its halves.
          fc.pre(!closesWhatItDidNotOpen(expression));
          expect([expression, ours(expression)]).toEqual([expression, await matchedBy(expression)]);
        }),
        { numRuns: 500, seed: SEED },
      );
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "takes and refuses the same selectors",
    async () => {
      for (const selector of SELECTORS) {
        const taken = await prometheus.query(selector).then(
          () => true,
          (error: unknown) => {
            if (String(error).includes("parse error")) return false;
            throw error;
          },
        );
        expect([selector, isSelector(selector)]).toEqual([selector, taken]);
      }
    },
    TEST_TIMEOUT_MS,
  );
});

function ours(expression: string): readonly string[] | undefined {
  try {
    const matches = compileRe2(expression);
    return TEXTS.filter((text) => matches(text));
  } catch {
    return undefined;
  }
}

function closesWhatItDidNotOpen(expression: string): boolean {
  try {
    compileRe2(expression);
    return false;
  } catch (error) {
    return String(error).includes("unexpected )");
  }
}

function isSelector(text: string): boolean {
  try {
    parseSelector(text);
    return true;
  } catch {
    return false;
  }
}

function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
