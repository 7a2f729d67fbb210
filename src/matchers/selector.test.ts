import { describe, expect, test } from "bun:test";
import { parseGroupSelector, parseSelector } from "./selector.ts";
import { SelectorError } from "./selector-error.ts";

type Labels = Readonly<Record<string, string>>;

/** Labels and name as byte strings. */
function selects(text: string, labels: Labels, name?: string): boolean {
  const byteLabels = new Map(Object.entries(labels).map(([label, value]) => [bytes(label), bytes(value)]));
  return parseSelector(text).matches(name, (label) => byteLabels.get(label));
}

function bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

const GROUP: Labels = { job: "spark-1", instance: "a:9090", stadt: "Köln", "my.label": "x", __name__: "not the name" };

describe("parseSelector()", () => {
  test.each([
    '{job="spark-1"}',
    "{job='spark-1'}",
    "{job=`spark-1`,}",
    '{job=~"spark-.*"}',
    '{job=~`spark-\\d`, instance!="b", instance!~"b.*"}',
    ' # which ones\n{ job = "spark-1" , # this one\n}',
    '{job="spark-1", absent=""}',
    '{job="spark-1", absent!="x", absent!~".+", absent=~".*"}',
    '{stadt="Köln"}',
    '{stadt="K\\u00f6ln"}',
    '{stadt="K\\xc3\\xb6ln"}',
    '{stadt=~"K.ln"}',
    '{stadt=~"K[ö]ln"}',
    '{"my.label"="x"}',
    '{"job"="spark-1"}',
    '{"job"=~"spark-1", instance="a:9090"}',
    '{job="spark-1", job!="spark-2"}',
  ])("%s selects a group", (text) => {
    expect(selects(text, GROUP)).toBe(true);
  });

  test.each([
    '{job="spark"}',
    '{job=~"spark"}',
    '{job=~"park-1"}',
    '{job!="spark-1", instance="a:9090"}',
    '{job!~"spark.*", instance="a:9090"}',
    '{absent=~".+"}',
    '{job="spark-1", absent!=""}',
    '{stadt=~"K..ln"}',
    '{job="spark-1", job="spark-2"}',
    "up",
    '{__name__=~".+"}',
  ])("%s does not select it", (text) => {
    expect(selects(text, GROUP)).toBe(false);
  });

  test.each([
    ["up", true],
    ['{"up"}', true],
    ['{"up", job="spark-1"}', true],
    ['up{job="spark-1"}', true],
    ['{__name__="up"}', true],
    ['{__name__=~"u.", __name__!="us"}', true],
    ['{"__name__"="up"}', true],
    ["down", false],
    ["sum", false],
    ['up{job="spark-2"}', false],
    ['{__name__!="up", job="spark-1"}', false],
  ])("%s among series called up: %p", (text, selected) => {
    expect(selects(text, GROUP, "up")).toBe(selected);
  });

  test("keeps the text", () => {
    expect(parseSelector(' {a="b"}').text).toBe(' {a="b"}');
  });

  test.each([
    ["", 0, "series selector"],
    ["sum(up)", 0, "series selector"],
    ["up[5m]", 0, "series selector"],
    ["up offset 5m", 0, "series selector"],
    ["up @ 1", 0, "series selector"],
    ["-up", 0, "series selector"],
    ["(up)", 0, "series selector"],
    ["up + up", 0, "series selector"],
    ['"up"', 0, "series selector"],
    ["5", 0, "series selector"],
    ['{a="b"} {c="d"}', 8, 'series selector such as up{job="a"} or {job=~"spark-.*"}, got "{"'],
    ['job="a"', 3, 'got "="'],
    ["up{", 3, "got the end"],
    ['{a="b"', 6, "got the end"],
    ['{a="b" c="d"}', 7, 'a comma or "}", got "c"'],
    ['{a="b" or c="d"}', 7, 'got "or"'],
    ['{a="b",,}', 7, 'got ","'],
    ["{,}", 1, 'got ","'],
    ["{a}", 2, "one of =, !=, =~, !~ and a value in quotes"],
    ["{a=b}", 3, 'a value in quotes, got "b"'],
    ['{a=="b"}', 3, 'got "="'],
    ['{a>"b"}', 2, 'got ">"'],
    ['{a:b="c"}', 2, 'got ":"'],
    ['{a="b}', 3, 'missing closing "'],
    ['{a="\\q"}', 4, 'unknown escape sequence "\\q"'],
    ['{""="b"}', 1, "a name"],
    ['{"\\xff"="b"}', 1, "a name"],
    ['up{__name__="down"}', 3, "one metric name"],
    ['up{"down"}', 3, "one metric name"],
    ['{"up","down"}', 6, "one metric name"],
    ['{__name__="down","up"}', 17, "one metric name"],
    ['{a=~"b("}', 4, "expected a regular expression of RE2, got missing closing )"],
    ['{a=~"b**"}', 4, "invalid nested repetition operator: ** (character 2 of the expression)"],
    ['{a=~"(?=b)"}', 4, "look-around"],
    ['{a=~"\\xff"}', 4, "no UTF-8"],
    ["{}", 0, "at least one matcher"],
    ['{a=""}', 0, "at least one matcher"],
    ['{a!="b",c=~".*",d!~".+"}', 0, "at least one matcher"],
    [`{a="${"b".repeat(16_384)}"}`, 16_384, "at most 16384 characters"],
  ])("refuses %s", (text, offset, message) => {
    expect(() => parseSelector(text)).toThrow(SelectorError);
    expect(() => parseSelector(text)).toThrow(
      expect.objectContaining({ offset, message: expect.stringContaining(message) }),
    );
  });

  test.each(["up", 'up{job="a"}', '{"up"}', '{__name__!="up", job="a"}'])("has no group for %s", (text) => {
    expect(() => parseGroupSelector(text)).toThrow("which groups do not have");
  });

  test("puts what it says into one short line", () => {
    expect(() => parseSelector('{a="b"\nc="d"}')).toThrow(
      'Cannot read the selector {a="b" c="d"} at character 8: expected a matcher such as job="a", a comma or "}", got "c"',
    );
    const longest = () => parseSelector(`{a=${"b".repeat(1000)}}`);
    expect(longest).toThrow(/^.{0,400}$/);
  });
});
