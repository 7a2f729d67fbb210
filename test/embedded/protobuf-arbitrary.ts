import fc from "fast-check";
import type { Exemplar, Metric, MetricFamily, MetricType } from "../../src/exposition/model.ts";
import { ProtobufFormatError, parseDelimited } from "../../src/exposition/protobuf-decoder.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import { isValidUtf8 } from "../../src/sharding/byte-string.ts";

const numbers = fc.constantFrom(0, 1, -0, 1e6, 123456789.5, -1, Number.NaN, Infinity, -Infinity, 1e-7, 0.25, 1e22);
const counts = fc.constantFrom(0, 1, 3, 2 ** 32, 2 ** 63);
const names = fc.constantFrom("m", "m_sum", "m_count", "m_bucket", "n", "n_sum", "m", "n", "\xff", "");
const types = fc.constantFrom<MetricType>("counter", "gauge", "untyped", "summary", "histogram");
const labels = fc.constantFrom<readonly string[]>(
  [],
  [],
  ["x", "1"],
  ["y", "1", "x", "1"],
  ["job", "z"],
  ["x", "1", "x", "2"],
  ["le", "1"],
  ["quantile", "1"],
  ["", "1"],
  ["a.b", "1"],
  ["x", "\xff"],
  ["x", '"\\\n'],
);
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 19, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const time = fc.constant({ seconds: 1_700_000_000, nanos: 5 });
const exemplar: fc.Arbitrary<Exemplar> = fc.record({
  labels: fc.constant(["t", "1"]),
  value: numbers,
  timestamp: time,
});
const summary = fc.record({
  count: counts,
  sum: numbers,
  quantiles: fc.array(fc.record({ quantile: numbers, value: numbers }), { maxLength: 3 }),
});
/** Counts of histograms may be floats, and stand beside integers then. */
const mixedCounts = fc.oneof({ weight: 4, arbitrary: counts }, { weight: 1, arbitrary: numbers });
const bucket = fc.record(
  { upperBound: numbers, cumulativeCount: mixedCounts, integerCount: counts, exemplar: seldom(exemplar) },
  { requiredKeys: ["upperBound", "cumulativeCount", "exemplar"] },
);
const histogram = fc.record(
  {
    count: mixedCounts,
    integerCount: counts,
    sum: numbers,
    buckets: fc.array(bucket, { maxLength: 3 }),
    native: fc.constant(undefined),
    isFloat: fc.boolean(),
  },
  { requiredKeys: ["count", "sum", "buckets", "native", "isFloat"] },
);

function metric(type: MetricType): fc.Arbitrary<Metric> {
  const value = type === "summary" ? summary : type === "histogram" ? histogram : numbers;
  return fc.record({
    labels,
    value,
    timestampMs: seldom(fc.constantFrom(0, 5, -1)),
    exemplar: type === "counter" ? seldom(exemplar) : fc.constant(undefined),
    createdAt: type === "gauge" || type === "untyped" ? fc.constant(undefined) : seldom(time),
  });
}

/** Now and then the values are not of the type that the family says. */
const family: fc.Arbitrary<MetricFamily> = fc
  .tuple(types, fc.oneof({ weight: 15, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: types }))
  .chain(([type, other]) =>
    fc.record({
      name: names,
      // One HELP: of several, a real Pushgateway shows a random one.
      help: fc.constantFrom(undefined, "Help \\ \n"),
      type: fc.constant(type),
      metrics: fc.array(metric(other ?? type), { minLength: 1, maxLength: 2 }),
    }),
  );

const plausible = fc
  .array(family, { maxLength: 3 })
  .map((families) => Uint8Array.from(encodeDelimited(families)) as Uint8Array<ArrayBuffer>);

/** Bytes lost, added or changed in a sound body, so that parsers get far before they meet them. */
const spoiled = fc
  .tuple(plausible, fc.nat(), fc.constantFrom(0, 1, 0x0a, 0x12, 0x22, 0x7f, 0x80, 0xff), fc.nat({ max: 2 }))
  .map(([body, at, byte, kind]) => {
    const index = at % (body.length + 1);
    const added = kind === 0 ? [] : [byte];
    return Uint8Array.from([...body.slice(0, index), ...added, ...body.slice(kind === 1 ? index : index + 1)]);
  });
const noise = fc.uint8Array({ maxLength: 12 }).map((bytes) => Uint8Array.from(bytes));

/**
 * Bodies in delimited protobuf, of which a fifth are damaged, and whose names are legacy ones or none. Families without metrics are not among them: a real Pushgateway
 * stores those, so that all that follows would be incomparable. Nor are messages that claim to be very long: one that claims 30 GB
 * is 6 bytes that end a real Pushgateway, as it allocates what it is told.
 */
export const protobufBody: fc.Arbitrary<Uint8Array<ArrayBuffer>> = fc
  .oneof({ weight: 16, arbitrary: plausible }, { weight: 3, arbitrary: spoiled }, { weight: 1, arbitrary: noise })
  .filter((body) => longestClaim(body) < MAX_CLAIMED_BYTES)
  .filter((body) => familiesIn(body).every(({ name, metrics }) => metrics.length > 0 && isComparable(name)));

/** Names beyond the legacy ones are shown in different ways: as they are by 1.5.1, with underscores by 1.11.0. */
function isComparable(name: string): boolean {
  return name === "" || LEGACY_NAME.test(name) || !isValidUtf8(name);
}

const LEGACY_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

const MAX_CLAIMED_BYTES = 2 ** 20;

/** How long the longest message says that it is. */
function longestClaim(body: Uint8Array): number {
  let longest = 0;
  let at = 0;
  while (at < body.length) {
    let length = 0;
    for (let factor = 1; at < body.length; factor *= 128) {
      const byte = body[at++] as number;
      length += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    longest = Math.max(longest, length);
    at += length;
  }
  return longest;
}

function familiesIn(body: Uint8Array): readonly MetricFamily[] {
  try {
    return parseDelimited(body);
  } catch (error) {
    if (error instanceof ProtobufFormatError) return [];
    throw error;
  }
}
