import { describe, expect, test } from "bun:test";
import { familyRanges } from "../../exposition/family-ranges.ts";
import { WorkSlices } from "../../work-slices.ts";
import { type FederationRules, federateTexts } from "./federated-text.ts";
import type { MemberText } from "./group-copies.ts";

const EVERYTHING: FederationRules = { counts: () => true, isWanted: () => true, utf8Names: false };

function textOf(address: string, text: string): MemberText {
  const bytes = Buffer.from(text);
  return { address, bytes, families: [...familyRanges(bytes)] };
}

async function federate(texts: readonly string[], rules: Partial<FederationRules> = {}) {
  const members = texts.map((text, index) => textOf(`10.0.0.${index}:9091`, text));
  const { pieces, length, clashes } = await federateTexts(members, { ...EVERYTHING, ...rules }, new WorkSlices());
  const whole = Buffer.concat(pieces);
  expect(whole.length).toBe(length);
  return { text: whole.toString(), clashes: clashes.map(({ name }) => name) };
}

describe("federateTexts()", () => {
  test("puts families together by name, with the first HELP, and leaves lines as they are", async () => {
    const { text } = await federate([
      '# TYPE b gauge\nb{job="x"}   1e3\n# TYPE c counter\nc{job="x"} 1\n',
      '# HELP a text \\\\ more\n# TYPE a gauge\na{job="y",l="\\"ü\\n"} NaN\n# HELP b first\n# TYPE b gauge\nb{job="y"} 2\n',
      '# HELP b second\n# TYPE b gauge\nb{job="z"} 3 \n',
    ]);
    expect(text).toBe(
      [
        "# HELP a text \\\\ more",
        "# TYPE a gauge",
        'a{job="y",l="\\"ü\\n"} NaN',
        "# HELP b first",
        "# TYPE b gauge",
        'b{job="x"}   1e3',
        'b{job="y"} 2',
        'b{job="z"} 3 ',
        "# TYPE c counter",
        'c{job="x"} 1',
        "",
      ].join("\n"),
    );
  });

  test("shows neither what does not count nor families of which nothing does", async () => {
    const own = '# TYPE go_x gauge\ngo_x 1\n# TYPE mixed gauge\nmixed 1\nmixed{job="a"} 2\nmixed 3\nmixed{job="b"} 4\n';
    const { text, clashes } = await federate([own, "# TYPE go_x counter\ngo_x 2\n"], {
      counts: (_index, _family, line) => line.labelCount > 0,
    });
    expect(text).toBe('# TYPE mixed gauge\nmixed{job="a"} 2\nmixed{job="b"} 4\n');
    expect(clashes).toEqual([]);
  });

  test("is what it is without members, and with members that hold nothing", async () => {
    expect(await federate([])).toEqual({ text: "", clashes: [] });
    expect(await federate(["", "# TYPE a gauge\n"])).toEqual({ text: "", clashes: [] });
  });

  const HISTOGRAM =
    '# HELP h of one\n# TYPE h histogram\nh_bucket{job="a",le="+Inf"} 1\nh_sum{job="a"} 1\nh_count{job="a"} 1\n';
  const GAUGE = '# HELP h of another\n# TYPE h gauge\nh{job="b"} 2\n';
  const SUM = '# TYPE h_sum counter\nh_sum{job="c"} 3\n';

  test.each([
    ["a type of its own", [HISTOGRAM, GAUGE], ["h"]],
    ["a family that is called like a sample of another", [HISTOGRAM, SUM], ["h", "h_sum"]],
    ["all of it", [HISTOGRAM, GAUGE, SUM], ["h", "h_sum"]],
  ])("shows as untyped, whoever comes first: %s", async (_what, texts, names) => {
    const lines = (text: string) =>
      text
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("# HELP"))
        .sort();
    const there = await federate(texts);
    const back = await federate(texts.toReversed());
    expect(lines(there.text)).toEqual(lines(back.text));
    expect([there.clashes, back.clashes]).toEqual([names, names]);
    const samples = lines(texts.join("")).filter((line) => !line.startsWith("#"));
    expect(lines(there.text).filter((line) => !line.startsWith("#"))).toEqual(samples);
    const types = lines(there.text).filter((line) => line.startsWith("#"));
    expect(types.every((line) => line.endsWith(" untyped"))).toBe(true);
    expect(new Set(types).size).toBe(types.length);
  });

  test("no clash: a name that ends like a sample of a family of another kind", async () => {
    const { clashes } = await federate([
      '# TYPE h gauge\nh{job="a"} 1\n',
      SUM,
      '# TYPE s summary\ns_sum{job="a"} 1\n',
      '# TYPE s_bucket gauge\ns_bucket{job="a"} 1\n',
    ]);
    expect(clashes).toEqual([]);
  });

  test("writes names that the format does not know with underscores, and families that then look alike as one", async () => {
    const texts = ['# TYPE "a.b" gauge\n{"a.b","l.m"="x",job="a"} 1\n', '# TYPE a_b gauge\na_b{job="b"} 2\n'];
    expect((await federate(texts)).text).toBe('# TYPE a_b gauge\na_b{l_m="x",job="a"} 1\na_b{job="b"} 2\n');
    expect((await federate(texts, { utf8Names: true })).text).toBe(
      '# TYPE "a.b" gauge\n{"a.b","l.m"="x",job="a"} 1\n# TYPE a_b gauge\na_b{job="b"} 2\n',
    );
  });

  test("keeps long texts whole", async () => {
    const lines = (job: string) =>
      Array.from({ length: 30_000 }, (_, index) => `m{job="${job}",n="${index}"} ${index}\n`);
    const texts = ["a", "b"].map((job) => `# TYPE m gauge\n${lines(job).join("")}`);
    expect((await federate(texts)).text).toBe(`# TYPE m gauge\n${lines("a").join("")}${lines("b").join("")}`);
    const isOdd: Partial<FederationRules> = { isWanted: (line) => /[13579]$/.test(line.labelValue(1)) };
    const odd = (job: string) => lines(job).filter((line) => /[13579]\n$/.test(line));
    expect((await federate(texts, isOdd)).text).toBe(`# TYPE m gauge\n${odd("a").join("")}${odd("b").join("")}`);
  });
});
