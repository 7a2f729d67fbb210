import { beforeEach, describe, expect, test } from "bun:test";
import { parseText } from "../exposition/text-parser.ts";
import { type GroupingKey, parsePushPath } from "../sharding/grouping-key.ts";
import { GroupStore, PushRejectedError } from "./group-store.ts";
import { exposeText } from "./text-exposition.ts";

const OWN = parseText(Buffer.from("# HELP own_info Mine.\n# TYPE own_info gauge\nown_info 1\n"));

let store: GroupStore;
beforeEach(() => {
  store = new GroupStore({ utf8Names: false, ownFamilies: OWN });
});

function key(path: string): GroupingKey {
  return parsePushPath(`/metrics/job/${path}`, { utf8Names: true });
}

function put(path: string, body: string, now = 1): void {
  store.replace(key(path), parseText(Buffer.from(body)), now);
}

function post(path: string, body: string, now = 1): void {
  store.update(key(path), parseText(Buffer.from(body)), now);
}

/** The samples of all groups, without the push times. */
function samples(): string[] {
  const lines = exposeText(store, []).toString().split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("push_"));
}

function pushTimes(path: string): readonly [number, number] | undefined {
  const group = store.get(key(path));
  return group && [group.pushTime, group.pushFailureTime];
}

describe("GroupStore", () => {
  test("replaces all families of a group by PUT and those of the same names by POST", () => {
    put("a", "x 1\ny 1\n");
    post("a", "y 2\nz 2\n");
    expect(samples()).toEqual(['x{instance="",job="a"} 1', 'y{instance="",job="a"} 2', 'z{instance="",job="a"} 2']);
    put("a", "y 3\n");
    expect(samples()).toEqual(['y{instance="",job="a"} 3']);
  });

  test("keeps the push time of families that a POST leaves alone", () => {
    put("a", "x 1\ny 1\n", 1);
    post("a", "y 2\n", 2);
    expect(store.get(key("a"))?.families.map(({ name, pushedAt }) => [name, pushedAt])).toEqual([
      ["x", 1],
      ["y", 2],
    ]);
  });

  test("lets the grouping key win over labels of the body, and adds an empty instance", () => {
    put("a/b/c", 'x{job="j",b="d",instance="i"} 1\n');
    put("a", 'x{e="f"} 1\n');
    expect(samples()).toEqual(['x{b="c",instance="i",job="a"} 1', 'x{e="f",instance="",job="a"} 1']);
  });

  test("records the times of the last accepted and of the last refused push", () => {
    put("a", "x 1\n", 1);
    expect(pushTimes("a")).toEqual([1, 0]);
    expect(() => put("a", "x 1 5\n", 2)).toThrow(new PushRejectedError("pushed metrics must not have timestamps"));
    expect(pushTimes("a")).toEqual([1, 2]);
    put("a", "", 3);
    expect(pushTimes("a")).toEqual([3, 2]);
    expect(() => put("b", "x 1 5\n", 4)).toThrow(PushRejectedError);
    expect(pushTimes("b")).toEqual([0, 4]);
  });

  test("tells its observer of each change, those in place and refused pushes included", () => {
    const told: string[] = [];
    store.observe({
      changed: ({ id, pushTime, pushFailureTime }) => told.push(`${id} ${pushTime} ${pushFailureTime}`),
      deleted: (id) => told.push(`deleted ${id}`),
      wiped: () => told.push("wiped"),
    });
    put("a", "x 1\n", 1);
    put("a", "x 2\n", 2);
    post("a", "x 3\n", 3);
    expect(() => put("a", "x 1 5\n", 4)).toThrow(PushRejectedError);
    store.delete(key("b"));
    store.delete(key("a"));
    store.wipe();
    expect(told).toEqual(["a 1 0", "a 2 0", "a 3 0", "a 3 4", "deleted a", "wiped"]);
  });

  test("has a push that is refused in the moment of one that was accepted fail after it", () => {
    put("a", "x 1\n", 1_700_000_000.123);
    expect(() => put("a", "x 1 5\n", 1_700_000_000.123)).toThrow(PushRejectedError);
    const [pushTime = 0, pushFailureTime = 0] = pushTimes("a") ?? [];
    expect(pushFailureTime).toBeGreaterThan(pushTime);
    expect(pushFailureTime).toBeCloseTo(pushTime, 5);
  });

  test("takes no push times from a body", () => {
    put("a", "push_time_seconds 5\n# TYPE push_failure_time_seconds counter\npush_failure_time_seconds 6\n", 1);
    expect(pushTimes("a")).toEqual([1, 0]);
    expect(store.get(key("a"))?.families).toEqual([]);
  });

  const collected = (name: string, job: string) =>
    `collected metric "${name}" { label:{name:"instance" value:""} label:{name:"job" value:"${job}"} `;

  test.each<[string, readonly [string, string], readonly [string, string], string]>([
    [
      "another type",
      ["a", "# TYPE x counter\nx 1\n"],
      ["b", "x 1\n"],
      `${collected("x", "b")}untyped:{value:1} } is not a COUNTER`,
    ],
    [
      "a type that the server itself has otherwise",
      ["a", ""],
      ["b", "own_info 1\n"],
      "gathered metric family own_info has type UNTYPED but should have GAUGE",
    ],
    [
      "a series twice",
      ["a", ""],
      ["b", "x 1\nx 2\n"],
      `${collected("x", "b")}untyped:{value:2} } was collected before with the same name and label values`,
    ],
    [
      "a series of another group",
      ["a", 'x{b="c"} 1\n'],
      ["a/b/c", "x 2\n"],
      'collected metric "x" { label:{name:"b" value:"c"} label:{name:"instance" value:""} label:{name:"job" value:"a"} untyped:{value:2} } was collected before with the same name and label values',
    ],
    [
      "the sum of another group's summary",
      ["a", "# TYPE s summary\ns_sum 1\n"],
      ["b", "s_sum 1\n"],
      'collected metric named "s_sum" collides with previously collected summary named "s"',
    ],
    [
      "a histogram whose count is there",
      ["a", "h_count 1\n"],
      ["b", "# TYPE h histogram\nh_sum 1\n"],
      'collected histogram or summary named "h" collides with previously collected metric named "h_count"',
    ],
    [
      "a reserved label",
      ["a", ""],
      ["b", 'x{__y="1"} 1\n'],
      'collected metric "x" { label:{name:"__y" value:"1"} label:{name:"instance" value:""} label:{name:"job" value:"b"} untyped:{value:1} } has a label with an invalid name: __y',
    ],
    [
      "a quantile among the labels of a summary",
      ["a", ""],
      ["b/quantile/1", "# TYPE s summary\ns_sum 1\n"],
      'must not have an explicit "quantile" label',
    ],
  ])("refuses %s, and stays as it was", (_, first, second, problem) => {
    put(...first);
    const before = samples();
    expect(() => put(...second)).toThrow(problem);
    expect(samples()).toEqual(before);
    expect(pushTimes(second[0])).toEqual([0, 1]);
  });

  test.each<[string, readonly [string, string], readonly [string, string]]>([
    ["another HELP", ["a", "# HELP x one\nx 1\n"], ["b", "# HELP x two\nx 1\n"]],
    [
      "other buckets",
      ["a", '# TYPE h histogram\nh_bucket{le="1"} 1\n'],
      ["b", '# TYPE h histogram\nh_bucket{le="2"} 1\n'],
    ],
    [
      "another type in the only group that has the name",
      ["a", "# TYPE x counter\nx 1\n"],
      ["a", "# TYPE x gauge\nx 1\n"],
    ],
    ["a bucket of a summary", ["a", "# TYPE s summary\ns_sum 1\n"], ["b", "s_bucket 1\n"]],
    ["what the family of a replaced group stood against", ["a", "x_sum 1\n"], ["a", "# TYPE x summary\nx_sum 1\n"]],
  ])("takes %s", (_, first, second) => {
    put(...first);
    put(...second);
    expect(pushTimes(second[0])).toEqual([1, 0]);
  });

  test("forgets what a group held once it is deleted", () => {
    put("a", '# TYPE x counter\nx{b="c"} 1\n');
    expect(store.delete(key("a"))).toBe(true);
    expect(store.delete(key("a"))).toBe(false);
    put("a/b/c", "# TYPE x gauge\nx 1\n");
    expect(samples()).toEqual(['x{b="c",instance="",job="a"} 1']);
    store.wipe();
    expect(exposeText(store, []).toString()).toBe("");
  });

  test.each([
    ["that differs from another in an empty instance only", "a/instance@base64/="],
    ["with a value that is not UTF-8", "a/b/%ff"],
  ])("leaves nothing of a refused group %s", (_, path) => {
    put("a", "x 1\n");
    const before = exposeText(store, OWN);
    expect(() => put(path, "y 1\n")).toThrow(PushRejectedError);
    expect(store.size).toBe(1);
    expect(exposeText(store, OWN)).toEqual(before);
    put("b", "x 1\n");
  });

  test("exposes the server's own families among those of the groups", () => {
    put("a", "# HELP own_info Theirs.\n# TYPE own_info gauge\nown_info 2\nx 1\n");
    expect(exposeText(store, OWN).toString()).toBe(
      [
        "# HELP own_info Mine.",
        "# TYPE own_info gauge",
        "own_info 1",
        'own_info{instance="",job="a"} 2',
        "# HELP push_failure_time_seconds Last Unix time when changing this group in the Pushgateway failed.",
        "# TYPE push_failure_time_seconds gauge",
        'push_failure_time_seconds{instance="",job="a"} 0',
        "# HELP push_time_seconds Last Unix time when changing this group in the Pushgateway succeeded.",
        "# TYPE push_time_seconds gauge",
        'push_time_seconds{instance="",job="a"} 1',
        "# TYPE x untyped",
        'x{instance="",job="a"} 1',
        "",
      ].join("\n"),
    );
  });

  test("tells what changed since a version", () => {
    put("a", "x 1\n");
    put("b", "x 1\n");
    put("c", "x 1\n");
    const { version } = store;
    put("a", "x 2\n");
    store.delete(key("b"));
    const { groups, deleted, isComplete } = store.changedSince(version);
    expect(groups.map(({ labels }) => labels.key)).toEqual([["job", "a"]]);
    expect(deleted.map((labels) => labels.key)).toEqual([["job", "b"]]);
    expect(isComplete).toBe(true);
    store.wipe();
    expect(store.changedSince(version).isComplete).toBe(false);
  });

  test("stores a group with the push times that it had elsewhere, and records no failure to", () => {
    const families = parseText(Buffer.from("x 1\n"));
    store.putWithPushTime(key("a"), families, 5, 3);
    expect(pushTimes("a")).toEqual([5, 3]);
    expect(() =>
      store.putWithPushTime(
        key("b"),
        [...families, ...families, ...OWN.map((own) => ({ ...own, type: "counter" as const }))],
        5,
        3,
      ),
    ).toThrow(PushRejectedError);
    expect(store.size).toBe(1);
  });

  test("deletes a group only if no later push was accepted", () => {
    put("a", "x 1\n", 5);
    expect(store.deleteIfNotNewer(key("a"), 4)).toBe(false);
    expect(store.size).toBe(1);
    expect(store.deleteIfNotNewer(key("a"), 5)).toBe(true);
    expect(store.deleteIfNotNewer(key("a"), 5)).toBe(true);
    expect(store.size).toBe(0);
  });

  test("sorts the labels of a series by name, few and many", () => {
    const names = Array.from({ length: 100 }, (_, index) => `l${100 - index}`);
    for (const some of [names.slice(0, 3), names]) {
      put("a", `x{${some.map((name) => `${name}="1"`).join()}} 1\n`);
      const sorted = [...some, "job", "instance"].sort();
      const text = samples()[0] ?? "";
      expect([...text.matchAll(/(\w+)=/g)].map(([, name]) => name)).toEqual(sorted);
    }
  });

  test("names several problems of one push, up to ten", () => {
    const body = Array.from({ length: 50 }, (_, index) => `x{__y="${index}"} 1\n`).join("");
    expect(() => put("a", body)).toThrow("10 error(s) occurred:\n* collected metric");
  });
});
