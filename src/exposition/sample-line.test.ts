import { describe, expect, test } from "bun:test";
import { familyRanges } from "./family-ranges.ts";
import { SampleLine } from "./sample-line.ts";

const JOB = Buffer.from("job");

function read(text: string): SampleLine {
  const line = new SampleLine();
  const bytes = Buffer.from(text);
  line.read(bytes, 0, bytes.length);
  return line;
}

describe("SampleLine", () => {
  test.each<[string, string, readonly string[], string]>([
    ["up 1", "up", [], " 1"],
    ["up\t1 5", "up", [], "\t1 5"],
    ["up{} 1", "up", [], " 1"],
    ['up{job="a"} 1', "up", ["job", "a"], " 1"],
    ['up{instance="",job="a",} +Inf', "up", ["instance", "", "job", "a"], " +Inf"],
    ['up { job = "a" } 1', "up", [], ' { job = "a" } 1'],
    ['up{a="} 1",b=",job=\\"x\\"",c="\\\\"} NaN', "up", ["a", "} 1", "b", ',job="x"', "c", "\\"], " NaN"],
    ['up{a="line\\nbreak",b="\\t"} 1', "up", ["a", "line\nbreak", "b", "\\t"], " 1"],
    ['{"a.b","c.d"="x",job="a"} 1', "a.b", ["c.d", "x", "job", "a"], " 1"],
    ['{"a\\"b"} 1', 'a"b', [], " 1"],
  ])("reads %s", (text, name, labels, value) => {
    const line = read(`${text}\n`);
    expect([line.name(), line.labels(), line.valueText(text.length)]).toEqual([name, labels, value]);
    expect(line.isSample).toBe(true);
  });

  test("finds a label by its name and by nothing that looks like it", () => {
    expect(read('up{job="a"} 1\n').hasLabel(JOB)).toBe(true);
    expect(read('up{x="a,job=",y="b"} 1\n').hasLabel(JOB)).toBe(false);
    expect(read('up{jobs="a",xjob="b",jo="c"} 1\n').hasLabel(JOB)).toBe(false);
    expect(read('job{x="job"} 1\n').hasLabel(JOB)).toBe(false);
    expect(read('up{a="1",job="\u00f6\\"",z=""} 1\n').valueOf(JOB)).toBe('\u00c3\u00b6"');
  });

  test.each(["", "\n", "up\n", 'up{job="a\n', 'up{job="a"}\n', "up{job\n", "up{", '{"'])(
    "takes %j for no sample",
    (text) => {
      expect(read(text).isSample).toBe(false);
    },
  );

  test("goes on where the line before ended, and not beyond the end that it was given", () => {
    const bytes = Buffer.from('a{x="1"} 1\nb 2\nc 3\n');
    const line = new SampleLine();
    const names: string[] = [];
    for (let at = 0; at < 15; ) {
      at = line.read(bytes, at, 15);
      names.push(`${line.name()} ${line.labelCount} ${at}`);
    }
    expect(names).toEqual(["a 1 11", "b 0 15"]);
  });
});

describe("familyRanges()", () => {
  function ranges(text: string): readonly unknown[] {
    const bytes = Buffer.from(text, "latin1");
    return [...familyRanges(bytes)].map(({ name, help, type, start, end }) => [
      name,
      help,
      type,
      bytes.toString("latin1", start, end),
    ]);
  }

  test("tells the families and where their samples stand", () => {
    expect(
      ranges(
        '# HELP a what \\n a is\n# TYPE a counter\na{x="\\n# TYPE b gauge"} 1\na 2\n# TYPE b summary\n# HELP b \nb_sum 1\n# TYPE c gauge\n# TYPE "d.e" untyped\n{"d.e"} 1\n',
      ),
    ).toEqual([
      ["a", "what \\n a is", "counter", 'a{x="\\n# TYPE b gauge"} 1\na 2\n'],
      ["b", "", "summary", "b_sum 1\n"],
      ["c", undefined, "gauge", ""],
      ["d.e", undefined, "untyped", '{"d.e"} 1\n'],
    ]);
  });

  test("leaves other comments where they are", () => {
    expect(ranges("# hello\n# TYPE a gauge\na 1\n# between\na 2\n# EOF")).toEqual([
      ["a", undefined, "gauge", "a 1\n# between\na 2\n# EOF"],
    ]);
    expect(ranges("")).toEqual([]);
  });

  test("tells a family twice whose samples stand in two places", () => {
    expect(ranges("# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\na 2\n")).toEqual([
      ["a", undefined, "gauge", "a 1\n"],
      ["b", undefined, "gauge", "b 1\n"],
      ["a", undefined, "gauge", "a 2\n"],
    ]);
  });

  test("refuses samples without a heading", () => {
    expect(() => ranges("<html>")).toThrow("its metrics begin without HELP or TYPE");
  });
});
