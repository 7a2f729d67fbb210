import { describe, expect, spyOn, test } from "bun:test";
import fc from "fast-check";
import type { MetricFamily } from "./model.ts";
import { parseText, TextFormatError } from "./text-parser.ts";

function parse(body: string): MetricFamily[] {
  return parseText(Buffer.from(body));
}

/** Name, type, and for each metric its labels and value. */
function outline(body: string): unknown[] {
  return parse(body).map(({ name, type, metrics }) => [
    name,
    type,
    ...metrics.map(({ labels, value }) => [labels, value]),
  ]);
}

describe("parseText()", () => {
  test.each<[string, unknown[]]>([
    ["", []],
    ["\n \t\n# a comment\n#\n# HELP\n", []],
    ["# HELP a only help\n# TYPE a counter\n", []],
    ["a 1\n", [["a", "untyped", [[], 1]]]],
    ["  a\t 1.5e3\n", [["a", "untyped", [[], 1500]]]],
    ["# TYPE a CoUnTeR\na 1\n", [["a", "counter", [[], 1]]]],
    ["# TYPE a coun\\ter\na 1\n", [["a", "counter", [[], 1]]]],
    ['a{}1\na { b = "c" , d="",}2\n', [["a", "untyped", [[], 1], [["b", "c", "d", ""], 2]]]],
    ['a{b="\\\\ \\" \\n"} 1\n', [["a", "untyped", [["b", '\\ " \n'], 1]]]],
    [
      "a 1\nb 2\na 3\n",
      [
        ["a", "untyped", [[], 1], [[], 3]],
        ["b", "untyped", [[], 2]],
      ],
    ],
    [
      "a_sum 1\n# TYPE a summary\na_count 2\n",
      [
        ["a_sum", "untyped", [[], 1]],
        ["a", "summary", [[], { count: 2, sum: 0, quantiles: [] }]],
      ],
    ],
    ['{"a.b",c="d"} 1\n', [["a.b", "untyped", [["c", "d"], 1]]]],
    ['a{"b.c"="d"} 1\n', [["a", "untyped", [["b.c", "d"], 1]]]],
  ])("reads %j", (body, expected) => {
    expect(outline(body)).toEqual(expected);
  });

  test("puts the lines of a summary together by their labels, in any order of both", () => {
    const body =
      '# TYPE s summary\ns{b="2",a="1",quantile="0.5"} 4\ns_sum{a="1",b="2"} 9\ns_count{a="1",b="2"} -1\ns 7\n';
    const summary = { count: 2 ** 64, sum: 9, quantiles: [{ quantile: 0.5, value: 4 }] };
    expect(outline(body)).toEqual([
      ["s", "summary", [["b", "2", "a", "1"], summary], [[], { count: 0, sum: 0, quantiles: [] }]],
    ]);
  });

  test("reads the buckets of a histogram from any of its lines with a bound", () => {
    const [family] = parse('# TYPE h histogram\nh_bucket{le="1"} 3\nh{le="+Inf"} 4\nh_bucket 9\nh_sum 5\nh_count 4\n');
    expect(family?.metrics[0]?.value).toEqual({
      count: 4,
      sum: 5,
      buckets: [
        { upperBound: 1, cumulativeCount: 3, exemplar: undefined },
        { upperBound: Number.POSITIVE_INFINITY, cumulativeCount: 4, exemplar: undefined },
      ],
      native: undefined,
      isFloat: false,
    });
  });

  test.each(["1", "-9223372036854775808", "9223372036854775807"])(
    "reads the timestamp %s behind many zeros",
    (text) => {
      const zeros = "0".repeat(1_000);
      const long = text.startsWith("-") ? `-${zeros}${text.slice(1)}` : `+${zeros}${text}`;
      expect(parse(`a 1 ${long}\n`)).toMatchObject([{ metrics: [{ timestampMs: Number(text) }] }]);
    },
  );

  test("refuses a long timestamp without BigInt, which would take more than linear time", () => {
    using convert = spyOn(globalThis, "BigInt");
    expect(() => parse(`a 1 ${"1".repeat(1_000)}\n`)).toThrow("expected integer as timestamp");
    expect(convert).not.toHaveBeenCalled();
  });

  test("keeps HELP and timestamps", () => {
    expect(parse("# HELP a x\\\\y\\nz \na 1 -12\n")).toMatchObject([
      { help: "x\\y\nz ", metrics: [{ timestampMs: -12 }] },
    ]);
  });

  test.each([
    ["a 1", "1: unexpected end of input stream"],
    ["\na", "2: unexpected end of input stream"],
    ["# HELP a b", "1: unexpected end of input stream"],
    ['a{b="', "1: unexpected end of input stream"],
    ["1a 1\n", "1: invalid metric name"],
    ["a\n", '1: expected float as value, got ""'],
    ["a 1\r\n", '1: expected float as value, got "1\\r"'],
    ["a 1 \n", '1: expected integer as timestamp, got ""'],
    ["a 1 1.5\n", '1: expected integer as timestamp, got "1.5"'],
    ["a 1 9223372036854775808\n", '1: expected integer as timestamp, got "9223372036854775808"'],
    ["a 1 1 1\n", '1: spurious string after timestamp: " 1"'],
    ["a{1} 1\n", '1: invalid label name for metric "a"'],
    ["a{b} 1\n", "1: expected '=' after label name, found '}'"],
    ["a{b=c} 1\n", "1: expected '\"' at start of label value, found 'c'"],
    ['a{b="c" d="e"} 1\n', '1: unexpected end of label value "c"'],
    ['a{b="c",b="d"} 1\n', '1: duplicate label names for metric "a"'],
    ['a{__name__="c"} 1\n', '1: label name "__name__" is reserved'],
    ['a{b="\\x"} 1\n', "1: invalid escape sequence '\\x'"],
    ['a{b="c\n"} 1\n', '1: label value "c" contains unescaped new-line'],
    ["# HELP a b\n# HELP a c\n", '2: second HELP line for metric name "a"'],
    ["a 1\n# TYPE a gauge\n", '2: second TYPE line for metric name "a", or TYPE reported after samples'],
    ["# TYPE a info\n", '1: unknown metric type "info"'],
    ["# TYPE 1 gauge\n", "1: invalid metric name in comment"],
    ["# HELP a \\t\n", "1: invalid escape sequence '\\t'"],
    ['# TYPE s summary\ns{quantile="x"} 1\n', "2: expected float as value for 'quantile' label, got \"x\""],
    ['# TYPE h histogram\nh_bucket{le=""} 1\n', "2: expected float as value for 'le' label, got \"\""],
    ['{a="b"} 1\n', "1: invalid metric name"],
  ])("refuses %j", (body, problem) => {
    expect(() => parse(body)).toThrow(new TextFormatError(`text format parsing error in line ${problem}`));
  });

  test("refuses a label value that is not UTF-8", () => {
    expect(() => parseText(Buffer.from('a{b="\xff"} 1\n', "latin1"))).toThrow(
      new TextFormatError('text format parsing error in line 1: invalid label value "\\xff"'),
    );
  });

  test("throws nothing but TextFormatError, whatever the bytes", () => {
    const token = fc.constantFrom(
      "a",
      "_sum",
      "{",
      "}",
      '"',
      "\\",
      "\n",
      "=",
      ",",
      " ",
      "1",
      "# TYPE ",
      "# HELP ",
      "summary\n",
      "le",
    );
    const body = fc.oneof(
      fc.uint8Array(),
      fc.array(token, { maxLength: 60 }).map((tokens) => Buffer.from(tokens.join(""))),
    );
    fc.assert(
      fc.property(body, (bytes) => {
        try {
          parseText(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(TextFormatError);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test("reads 50,000 labels of one series, and finds the one that is there twice", () => {
    const labels = Array.from({ length: 50_000 }, (_, index) => `a${50_000 - index}="x"`).join(",");
    expect(parse(`m{${labels}} 1\n`)[0]?.metrics[0]?.labels).toHaveLength(100_000);
    expect(() => parse(`m{${labels},a7="y"} 1\n`)).toThrow('duplicate label names for metric "m"');
  });

  test("reads 50,000 lines of one family, or of as many", () => {
    const lines = 50_000;
    const oneFamily = Array.from({ length: lines }, (_, index) => `a{b="${index}"} ${index}\n`).join("");
    expect(parse(oneFamily)[0]?.metrics).toHaveLength(lines);
    const manyFamilies = Array.from({ length: lines }, (_, index) => `a${index} ${index}\n`).join("");
    expect(parse(manyFamilies)).toHaveLength(lines);
  });
});
