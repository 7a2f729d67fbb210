import { describe, expect, test } from "bun:test";
import { readGroupJson } from "./group-json.ts";
import { ListingFormatError, ListingSplitter } from "./listing-splitter.ts";

/** Reads a group out of a listing; one that is cut off is read as it is. */
function read(group: unknown): ReturnType<typeof readGroupJson> {
  const text = typeof group === "string" ? group : JSON.stringify(group);
  const splitter = new ListingSplitter();
  splitter.push(Buffer.from(`{"status":"success","data":[${text}]}`));
  return readGroupJson(splitter.next() ?? Buffer.from(text), splitter.spans);
}

function gauge(value: string, labels = {}): object {
  return { time_stamp: "2026-11-23T10:30:58.333262617Z", type: "GAUGE", metrics: [{ labels, value }] };
}

describe("readGroupJson()", () => {
  test("reads key, push times and families", () => {
    const group = read({
      labels: { y: "", job: "a", x: "/" },
      last_push_successful: true,
      m: gauge("1"),
      push_time_seconds: gauge("1.7954298583332627e+09"),
      push_failure_time_seconds: gauge("0"),
    });
    expect(group.id).toBe("a\xffx\xff/\xffy\xff");
    expect(group.key.canonicalPath).toBe("/metrics/job/a/x///y/");
    expect([group.pushTime, group.pushFailureTime]).toEqual([1795429858.3332627, 0]);
    expect([...group.families().keys()]).toEqual(["m"]);
    expect(group.families().get("m")?.metrics).toEqual([{ labels: {}, value: "1" }]);
  });

  test.each([
    ["as it is", '{"labels":{"job":"é€😀\\u003c"}}', "é€😀<"],
    ["with U+2028, which Go escapes", '{"labels":{"job":"é\\u2028"}}', "é\u2028"],
    ["with other escapes", '{"labels":{"job":"\\u00E9\\ud83d\\ude00"}}', "é😀"],
    ["with a backslash before a u", '{"labels":{"job":"é\\\\u00e9"}}', "é\\u00e9"],
  ])("gives text in byte strings, %s", (_how, json, job) => {
    expect(read(json).key.job).toBe(Buffer.from(job).toString("latin1"));
    const names = read(json.replace("}}", '},"\\u00e9":{"metrics":[]}}')).families();
    expect([...names.keys()]).toEqual(["\xc3\xa9"]);
  });

  test.each([
    ["none", {}],
    ["no metrics", { push_time_seconds: { metrics: [] } }],
    ["a value that is no number", { push_time_seconds: gauge("NaN") }],
    ["something else", { push_time_seconds: 5 }],
  ])("a group with %s for a push time was never pushed to", (_what, members) => {
    expect(read({ labels: { job: "a" }, ...members }).pushTime).toBe(0);
  });

  test("families may be called like what is not a family", () => {
    const labels = { instance: "", job: "a", metrics: "m" };
    const group = read({ labels: gauge("1"), last_push_successful: gauge("2"), push_time_seconds: gauge("5", labels) });
    expect(group.id).toBe("a\xffmetrics\xffm");
    expect([...group.families().keys()]).toEqual(["labels", "last_push_successful"]);
    const other = read({ labels: gauge("1"), push_time_seconds: gauge("5", { ...labels, instance: "i" }) });
    expect(other.id).toBe("a\xffinstance\xffi\xffmetrics\xffm");
  });

  test("a label called metrics makes no family of the labels", () => {
    expect(read({ labels: { job: "a", metrics: "m" } }).id).toBe("a\xffmetrics\xffm");
  });

  test.each([
    ["no JSON", "{", "not JSON"],
    ["labels that are text", { labels: "job" }, "no labels"],
    ["no labels", {}, "no labels"],
    ["labels nowhere", { labels: gauge("1") }, "no labels"],
    ["no job", { labels: { x: "y" } }, "no job"],
    ["a label that is no text", { labels: { job: "a", x: 1 } }, 'label "x" of a group is no text'],
  ])("refuses a group with %s", (_what, group, message) => {
    expect(() => read(group)).toThrow(ListingFormatError);
    expect(() => read(group)).toThrow(message);
  });

  test("of a large group, reads the same, and the families when they are asked for", () => {
    const group = {
      b: gauge("1", { labels: "no", job: "other" }),
      'push_time_"seconds': gauge("3"),
      labels: { y: "", job: "\u00e9", x: '"labels":{"job":"z"}' },
      last_push_successful: true,
      other: ["push_time_seconds"],
      m: gauge("1", { x: "y".repeat(70_000) }),
      push_failure_time_seconds: gauge("5"),
      push_time_seconds: gauge("1.5e+09"),
    };
    const { families, id, pushTime, pushFailureTime } = read(group);
    const small = read({ ...group, m: gauge("1") });
    expect([id, pushTime, pushFailureTime]).toEqual([small.id, 1.5e9, 5]);
    expect([...families().keys()]).toEqual([...small.families().keys()]);
    expect(read(JSON.stringify(group, null, 2)).id).toBe(id);
    const { families: spoiled, ...rest } = read(JSON.stringify(group).replace('"GAUGE"', "GAUGE"));
    expect(rest.id).toBe(id);
    expect(() => spoiled()).toThrow(ListingFormatError);
  });
});
