import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseGroupSelector } from "../matchers/selector.ts";
import { formatGroup } from "./group-text.ts";

describe("formatGroup()", () => {
  test.each([
    [{ job: "a" }, '{job="a"}'],
    [{ instance: "b", a: "", job: "c" }, '{job="c",a="",instance="b"}'],
    [{ job: 'a"b\\c\n\u001b[31m' }, String.raw`{job="a\"b\\c\n\u001b[31m"}`],
    [{ job: "Köln 😀\u202e" }, '{job="Köln 😀\\u202e"}'],
    [{ job: "a", "my.label": "b" }, '{job="a","my.label"="b"}'],
  ])("writes %j", (labels, text) => {
    expect(formatGroup(labels)).toBe(text);
  });

  test("is a selector of the group", () => {
    const bytes = (text: string) => Buffer.from(text, "utf8").toString("latin1");
    const text = fc.string({ unit: "grapheme", minLength: 1 });
    const name = fc.string({ unit: "grapheme", minLength: 1 }).filter((label) => label !== "__name__");
    fc.assert(
      fc.property(text, fc.dictionary(name, text), (job, others) => {
        const labels: Readonly<Record<string, string>> = { ...others, job };
        const byteLabels = new Map(Object.entries(labels).map(([label, value]) => [bytes(label), bytes(value)]));
        const { matches } = parseGroupSelector(formatGroup(labels));
        expect(matches(undefined, (label) => byteLabels.get(label))).toBe(true);
      }),
    );
  });
});
