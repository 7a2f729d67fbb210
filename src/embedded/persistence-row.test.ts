import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Metric, MetricFamily } from "../exposition/model.ts";
import { parseDelimited } from "../exposition/protobuf-decoder.ts";
import { encodeDelimited } from "../exposition/protobuf-encoder.ts";
import { parseText } from "../exposition/text-parser.ts";
import { groupingKeyOf } from "../sharding/grouping-key.ts";
import { type Group, GroupStore, PushRejectedError } from "./group-store.ts";
import { groupOfRow, rowOfGroup } from "./persistence-row.ts";

const KEY = groupingKeyOf("j\xc3\xb6b", [{ name: "a", value: "/\xc3\xa9" }]);
const OPTIONS = { utf8Names: true, ownFamilies: [] };

/** What comes back of the groups of one store in another; without `version`, which is that of the store. */
function saveAndRestore(store: GroupStore): readonly Omit<Group, "version">[] {
  const other = new GroupStore(OPTIONS);
  for (const group of store.groups()) other.restore(groupOfRow(rowOfGroup(group)));
  return withoutVersions(other);
}

function withoutVersions(store: GroupStore): readonly Omit<Group, "version">[] {
  return Array.from(store.groups(), ({ version, ...group }) => group);
}

function push(store: GroupStore, families: readonly MetricFamily[], now: number): void {
  try {
    store.update(KEY, families, now);
  } catch (error) {
    if (!(error instanceof PushRejectedError)) throw error;
  }
}

const number = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 5e-324, 2 ** 53 + 2),
);
const count = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 53, 2 ** 63, 2 ** 64));
const delta = fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 63), 2 ** 63, 2 ** 53));
const text = fc.oneof(
  fc.constantFrom("", "\n", '"', "\\", "é", "😀", "\0"),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const byteString = text.map((value) => Buffer.from(value).toString("latin1"));
const name = fc.constantFrom("x", "y", "x_sum", "\xc3\xa9 metric");
const labels = fc
  .uniqueArray(fc.tuple(fc.constantFrom("b", "instance", "job", "\xc3\xa9"), byteString), {
    selector: ([label]) => label,
  })
  .map((pairs) => pairs.flat());
const option = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const timestamp = fc.record({
  seconds: fc.oneof(fc.integer(), fc.constantFrom(2 ** 63, -(2 ** 63))),
  nanos: fc.integer(),
});
const exemplar = option(fc.record({ labels, value: number, timestamp: option(timestamp) }));
const summary = fc.record({
  count,
  sum: number,
  quantiles: fc.array(fc.record({ quantile: number, value: number }), { maxLength: 3 }),
});

function histogram(isFloat: boolean): fc.Arbitrary<unknown> {
  const either = isFloat ? fc.double({ min: 1e-9, noNaN: true }) : count;
  const nativeBuckets = fc.record({
    spans: fc.array(fc.record({ offset: fc.integer(), length: fc.nat() }), { maxLength: 2 }),
    deltas: fc.array(delta, { maxLength: 3 }),
    counts: fc.array(number, { maxLength: 3 }),
  });
  const native = fc.record({
    schema: fc.integer(),
    zeroThreshold: number,
    zeroCount: either,
    negative: nativeBuckets,
    positive: nativeBuckets,
    exemplars: fc.array(
      exemplar.filter((value) => value !== undefined),
      { maxLength: 2 },
    ),
  });
  const bucket = fc.record({ upperBound: number, cumulativeCount: either, exemplar });
  return fc.record({
    count: either,
    sum: number,
    buckets: fc.array(bucket, { maxLength: 3 }),
    native: option(native),
    isFloat: fc.constant(isFloat),
  });
}

const VALUES = {
  counter: number,
  gauge: number,
  untyped: number,
  summary,
  histogram: fc.oneof(histogram(false), histogram(true)),
  gauge_histogram: histogram(false),
};
const family = fc.constantFrom(...(Object.keys(VALUES) as (keyof typeof VALUES)[])).chain((type) => {
  const canBegin = type !== "gauge" && type !== "untyped";
  const metric = fc.record({
    labels,
    value: VALUES[type] as fc.Arbitrary<unknown>,
    timestampMs: fc.constant(undefined),
    exemplar: type === "counter" ? exemplar : fc.constant(undefined),
    createdAt: canBegin ? option(timestamp) : fc.constant(undefined),
  });
  return fc.record({
    name,
    help: option(byteString),
    type: fc.constant(type),
    metrics: fc.array(metric, { maxLength: 3 }),
  });
}) as fc.Arbitrary<MetricFamily>;

/** A summary or histogram out of protobuf also carries its creation time within itself, where nobody reads it. */
function comparable(groups: readonly Omit<Group, "version">[]): unknown {
  return groups.map((group) => ({
    ...group,
    families: group.families.map((stored) => ({
      ...stored,
      metrics: stored.metrics.map(withoutInnerTime),
      inBodyOrder: stored.inBodyOrder.map(withoutInnerTime),
    })),
  }));
}

function withoutInnerTime(metric: Metric): unknown {
  return typeof metric.value === "object" ? { ...metric, value: { ...metric.value, createdAt: undefined } } : metric;
}

describe("rows of groups", () => {
  test("give back every group as it was, whatever it holds", () => {
    const pushes = fc.array(fc.tuple(fc.array(family, { maxLength: 3 }), number), { minLength: 1, maxLength: 3 });
    let stored = 0;
    fc.assert(
      fc.property(pushes, (several) => {
        const store = new GroupStore(OPTIONS);
        for (const [families, now] of several) push(store, families, now);
        stored += [...store.groups()].filter(({ families }) => families.length > 0).length;
        expect(comparable(saveAndRestore(store))).toEqual(comparable(withoutVersions(store)));
      }),
      { numRuns: 1_000 },
    );
    // Most of what was made must have been stored, or nothing was tested.
    expect(stored).toBeGreaterThan(500);
  });

  test("give back groups of hostile protobuf as they were", () => {
    const samples = fc.sample(fc.array(family, { minLength: 1, maxLength: 3 }), { numRuns: 50, seed: 1 });
    const whole = samples.map((families) => encodeDelimited(families));
    const damaged = fc
      .tuple(fc.constantFrom(...whole), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
      .map(([bytes, changes]) => changes.reduce((all, [at, byte]) => all.with(at % all.length, byte), bytes));
    fc.assert(
      fc.property(damaged, (bytes) => {
        const store = new GroupStore(OPTIONS);
        push(store, readOrNothing(bytes), 1);
        expect(comparable(saveAndRestore(store))).toEqual(comparable(withoutVersions(store)));
      }),
      { numRuns: 1_000 },
    );
  });

  test("give back a zero bucket whose floating count is beyond all integers", () => {
    const buckets = { spans: [], deltas: [], counts: [] };
    const native = { schema: 0, zeroThreshold: 1, negative: buckets, positive: buckets, exemplars: [] };
    const zero = { ...native, zeroCount: 2 ** 70 };
    const value = { count: 1, sum: 1, buckets: [], native: zero, isFloat: false };
    const metric = { labels: [], value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
    const store = new GroupStore(OPTIONS);
    push(store, [{ name: "x", help: undefined, type: "histogram", metrics: [metric] }], 1);
    expect([...store.groups()]).toHaveLength(1);
    expect(comparable(saveAndRestore(store))).toEqual(comparable(withoutVersions(store)));
  });

  test("give back groups without series and those whose first push failed", () => {
    const store = new GroupStore(OPTIONS);
    store.replace(KEY, [], 1);
    const other = groupingKeyOf("other", []);
    expect(() => store.replace(other, parseText(Buffer.from("x 1 5\n")), 2)).toThrow(PushRejectedError);
    expect(saveAndRestore(store)).toEqual(withoutVersions(store));
  });

  test("take the time of the push for families only where it differs", () => {
    const store = new GroupStore(OPTIONS);
    store.update(KEY, parseText(Buffer.from("x 1\n")), 1);
    expect(rowOfGroup(store.get(KEY) as Group).familyTimes).toHaveLength(0);
    store.update(KEY, parseText(Buffer.from("y 1\n")), 2);
    expect(rowOfGroup(store.get(KEY) as Group).familyTimes).toHaveLength(16);
    expect(saveAndRestore(store)[0]?.families.map(({ pushedAt }) => pushedAt)).toEqual([1, 2]);
  });
});

function readOrNothing(bytes: Uint8Array): readonly MetricFamily[] {
  try {
    return parseDelimited(bytes);
  } catch {
    return [];
  }
}
