import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Exemplar, MetricFamily } from "./model.ts";
import { ProtobufFormatError, parseDelimited } from "./protobuf-decoder.ts";
import { encodeDelimited } from "./protobuf-encoder.ts";
import { parseText } from "./text-parser.ts";

const EXEMPLAR: Exemplar = { labels: ["trace_id", "1f"], value: 0.5, timestamp: { seconds: -1, nanos: 5 } };
const CREATED = { seconds: 1_700_000_000, nanos: 999_999_999 };
const PLAIN = { labels: ["b", "\xc3\xa9", "a", ""], timestampMs: undefined, exemplar: undefined, createdAt: undefined };

function native(isFloat: boolean): MetricFamily {
  const buckets = {
    spans: [{ offset: -3, length: 2 }],
    deltas: isFloat ? [] : [1, -1],
    counts: isFloat ? [1.5, 2] : [],
  };
  const value = {
    count: isFloat ? 3.5 : 3,
    sum: -2,
    buckets: [{ upperBound: Number.POSITIVE_INFINITY, cumulativeCount: 3, exemplar: EXEMPLAR }],
    native: {
      schema: -4,
      zeroThreshold: 1e-128,
      zeroCount: 1,
      negative: buckets,
      positive: buckets,
      exemplars: [EXEMPLAR],
    },
    isFloat,
  };
  return { name: "native", help: undefined, type: "histogram", metrics: [{ ...PLAIN, value, createdAt: CREATED }] };
}

const COUNTER: MetricFamily = {
  name: "counter",
  help: "",
  type: "counter",
  metrics: [{ ...PLAIN, value: 1, exemplar: EXEMPLAR, createdAt: CREATED, timestampMs: -5 }],
};

/** What the text format can say, which leaves out nothing that classic types have. */
const CLASSIC = parseText(
  Buffer.from(
    '# HELP c A counter.\n# TYPE c counter\nc{x="y"} NaN\n# TYPE g gauge\ng -1\nu 5\n# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 2\ns_count -1\n# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 3\nh_count 2\n',
  ),
);

/** Go fills in what a message leaves out; so must the model look the same. */
function withoutCreated(families: readonly MetricFamily[]): unknown {
  return JSON.parse(JSON.stringify(families), (key, value: unknown) => (key === "createdAt" ? undefined : value));
}

describe("protobuf", () => {
  test.each([
    ["a counter with exemplar", COUNTER],
    ["a native histogram", native(false)],
    ["a native histogram of floats", native(true)],
    ...CLASSIC.map((family) => [`a ${family.type}`, family] as const),
  ])("reads what it wrote: %s", (_, family) => {
    expect(withoutCreated(parseDelimited(encodeDelimited([family, family])))).toEqual(withoutCreated([family, family]));
    expect(parseDelimited(encodeDelimited([family]))[0]?.metrics[0]?.createdAt).toEqual(family.metrics[0]?.createdAt);
  });

  test("writes whatever it can read so that it reads the same again", () => {
    const whole = encodeDelimited([COUNTER, native(false), native(true), ...CLASSIC]);
    const bytes = fc.constantFrom(0x00, 0x01, 0x21, 0x3f, 0x40, 0x43, 0x7f, 0x80, 0xff);
    const damage = fc.array(fc.tuple(fc.nat(whole.length - 1), bytes), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(damage, (changes) => {
        const read = readDamaged(whole, changes);
        if (read !== undefined) expect(parseDelimited(encodeDelimited(read))).toEqual(read);
      }),
      { numRuns: 5_000 },
    );
  });

  test.each([
    // A bucket, a native histogram's zero count and delta, a creation time that integers of 64 bits cannot hold when rounded.
    [
      "a float count in a histogram of integers",
      [0x22, 0x0d, 0x3a, 0x0b, 0x1a, 0x09, 0x21, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
    ],
    ["a float zero count in a histogram of integers", [0x22, 0x0b, 0x3a, 0x09, 0x41, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]],
    [
      "a count that is the same as float and as integer",
      [0x22, 0x0d, 0x3a, 0x0b, 0x08, 2, 0x21, 0, 0, 0, 0, 0, 0, 0, 0x40],
    ],
    ["the largest delta", [0x22, 0x0d, 0x3a, 0x0b, 0x68, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    [
      "the largest time",
      [0x22, 0x0e, 0x3a, 0x0c, 0x7a, 0x0a, 0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ],
  ])("reads what it wrote of %s", (_, metric) => {
    const message = [0x0a, 1, 0x61, 0x18, 4, ...metric];
    const read = parseDelimited(Uint8Array.from([message.length, ...message]));
    expect(read[0]?.metrics[0]?.value).toBeDefined();
    expect(parseDelimited(encodeDelimited(read))).toEqual(read);
  });

  test("reads nothing as no families", () => {
    expect(parseDelimited(new Uint8Array())).toEqual([]);
  });

  test("takes a family without a type for a counter, and its gauge for none", () => {
    // name "a", one metric { gauge { value 0 } }
    const message = [0x0a, 1, 0x61, 0x22, 2, 0x12, 0];
    expect(parseDelimited(Uint8Array.from([message.length, ...message]))).toEqual([
      {
        name: "a",
        help: undefined,
        type: "counter",
        metrics: [{ labels: [], value: undefined, timestampMs: undefined, exemplar: undefined, createdAt: undefined }],
      },
    ]);
  });

  test("skips fields that it does not know or that have another form", () => {
    // a field 99 of each form, groups included, and the name as a number
    const message = [
      0x98, 6, 1, 0x99, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x9a, 6, 1, 0, 0x9b, 6, 0x9c, 6, 0x9d, 6, 0, 0, 0, 0, 0x08, 5,
    ];
    expect(parseDelimited(Uint8Array.from([message.length, ...message]))).toEqual([
      { name: "", help: undefined, type: "counter", metrics: [] },
    ]);
  });

  test.each([
    ["a length without its message", [5]],
    ["a field that ends outside its message", [2, 0x0a, 5]],
    ["an endless length", [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
    ["a group in a group and so on", [...encodedLength(2_000), ...new Array<number>(2_000).fill(0x0b)]],
  ])("refuses %s", (_, bytes) => {
    expect(() => parseDelimited(Uint8Array.from(bytes))).toThrow(ProtobufFormatError);
  });

  test("throws nothing but ProtobufFormatError, whatever the bytes", () => {
    const whole = encodeDelimited([COUNTER, native(false), native(true), ...CLASSIC]);
    const damaged = fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, byte]) => whole.with(at, byte));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), damaged), (bytes) => {
        try {
          parseDelimited(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufFormatError);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

/** What the store would take of these bytes; undefined for what is refused. */
function readDamaged(whole: Uint8Array, changes: readonly (readonly [number, number])[]): MetricFamily[] | undefined {
  const bytes = Uint8Array.from(whole);
  for (const [at, byte] of changes) bytes[at] = byte;
  try {
    const families = parseDelimited(bytes);
    return families.map((family) => ({
      ...family,
      metrics: family.metrics.filter(({ value }) => value !== undefined),
    }));
  } catch {
    return undefined;
  }
}

function encodedLength(length: number): readonly number[] {
  return [(length & 0x7f) | 0x80, length >> 7];
}
