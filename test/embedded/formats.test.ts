import { expect, test } from "bun:test";
import type { Metric, MetricFamily } from "../../src/exposition/model.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { groupsEssence, PushTarget } from "./push-target.ts";

/** All that the text format has, and how it is written. One group only, so that HELP and the order are the same too. */
const RICH_TEXT = `# HELP c A \\\\counter\\n "quoted".
# TYPE c counter
c{b="\\\\ \\n \\" é",a=""} 1e6
c{b="2"} 1
c{a="3"} 12345678.9
c NaN
# HELP without_type Help, no type.
without_type 1e-5
# TYPE without_help gauge
without_help -0
# TYPE h histogram
h_bucket{le="0.00001"} 1
h_bucket{le="1e6"} 2
h_sum -0.5
h_count 3
h_bucket{le="+Inf",x="y"} 18446744073709551615
# TYPE s summary
s{quantile="0.5"} 1
s{quantile="NaN"} 2
s_sum 2
s_count 3.9
u -Inf
`;

const EXEMPLAR = { labels: ["trace_id", "1f"], value: 0.5, timestamp: { seconds: 1_700_000_000, nanos: 5 } };
const CREATED = { seconds: 1_700_000_000, nanos: 999_999_999 };
const BUCKETS = { spans: [{ offset: -3, length: 2 }], deltas: [1, 2], counts: [] };
const BASE: Metric = {
  labels: ["b", "\xc3\xa9", "a", ""],
  value: 1.5,
  timestampMs: undefined,
  exemplar: undefined,
  createdAt: undefined,
};

const HISTOGRAM = {
  count: 5,
  sum: -2,
  buckets: [{ upperBound: 1, cumulativeCount: 3, exemplar: EXEMPLAR }],
  native: { schema: -4, zeroThreshold: 1e-128, zeroCount: 1, negative: BUCKETS, positive: BUCKETS, exemplars: [] },
  isFloat: false,
};
const RICH_PROTOBUF: readonly MetricFamily[] = [
  {
    name: "counter",
    help: "A counter.",
    type: "counter",
    metrics: [{ ...BASE, exemplar: EXEMPLAR, createdAt: CREATED }],
  },
  { name: "gauge", help: "", type: "gauge", metrics: [BASE, { ...BASE, labels: [] }] },
  {
    name: "histogram",
    help: undefined,
    type: "histogram",
    metrics: [{ ...BASE, value: HISTOGRAM, createdAt: CREATED }],
  },
  {
    name: "summary",
    help: undefined,
    type: "summary",
    metrics: [
      { ...BASE, value: { count: 1, sum: 2, quantiles: [{ quantile: 0.9, value: Number.NaN }] }, createdAt: CREATED },
    ],
  },
  { name: "untyped", help: undefined, type: "untyped", metrics: [BASE] },
];

/** Histograms whose counts are integers here and floats there, or both. */
const MIXED_PROTOBUF: readonly MetricFamily[] = [
  { count: 2, isFloat: false, buckets: [{ cumulativeCount: 1.5 }, { cumulativeCount: 2, integerCount: 0 }] },
  { count: 2, isFloat: false, buckets: [{ cumulativeCount: 1.5, integerCount: 1 }, { cumulativeCount: 1e6 }] },
  { count: 2.5, isFloat: true, buckets: [{ cumulativeCount: 1.5 }, { cumulativeCount: 2 }] },
  { count: 2.5, isFloat: true, buckets: [{ cumulativeCount: 1e6, integerCount: 1e6 }] },
  { count: 2.5, isFloat: true, integerCount: 3, buckets: [{ cumulativeCount: 1.5, integerCount: 1 }] },
].map(({ buckets, ...counts }, index) => {
  const bounded = buckets.map((bucket, place) => ({ ...bucket, upperBound: place, exemplar: undefined }));
  const value = { ...counts, sum: 1, buckets: bounded, native: undefined };
  return { name: `mixed_${index}`, help: undefined, type: "histogram", metrics: [{ ...BASE, value }] };
});

/** The exposition without the server's own metrics and the values of the push times. */
async function text(target: PushTarget): Promise<string> {
  const lines = (await target.metrics())
    .split("\n")
    .filter((line) => !/^(?:# \w+ )?(?:go|process|promhttp|pushgateway)_/.test(line));
  return lines.map((line) => line.replace(/^(push_time_seconds.*) .*/, "$1 set")).join("\n");
}

async function families(target: PushTarget): Promise<readonly MetricFamily[]> {
  return (await target.families()).filter(({ name }) => !name.startsWith("push_")).map(withSeriesOnly);
}

/** Without what only the store adds. */
function withSeriesOnly({ name, help, type, metrics }: MetricFamily): MetricFamily {
  const series = metrics.map(({ labels, value, timestampMs, exemplar, createdAt }) => ({
    labels,
    value: plain(value),
    timestampMs,
    exemplar,
    createdAt,
  }));
  return { name, help, type, metrics: series };
}

function plain(value: Metric["value"]): Metric["value"] {
  return value === undefined || typeof value === "number"
    ? value
    : (JSON.parse(JSON.stringify({ ...value, createdAt: undefined })) as Metric["value"]);
}

/** The real Pushgateway, and one of ours. */
async function targetsOf(server: Pushgateway): Promise<{ readonly both: readonly PushTarget[] } & AsyncDisposable> {
  const running = new AsyncDisposableStack();
  const local = running.use(await LocalPushgateway.start());
  const both = [running.use(new PushTarget(server)), running.use(new PushTarget(local))];
  return { both, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

for (const version of ["1.5.1", "1.11.0"] as const) {
  await describeWithParts([`pushgateway-${version}`], `The embedded Pushgateway and ${version}`, () => {
    test("write the same text, byte for byte", async () => {
      await using server = await startPushgateway({ version });
      await using targets = await targetsOf(server);
      for (const target of targets.both) {
        expect(await target.push({ method: "PUT", path: "z/k/q", body: RICH_TEXT })).toEqual({ status: 200, text: "" });
      }
      const [theirs, ours] = await Promise.all(targets.both.map(text));
      expect(ours).toBe(theirs as string);
    });

    test("show the same of histograms with integers and floats for counts", async () => {
      await using server = await startPushgateway({ version });
      await using targets = await targetsOf(server);
      const body = Uint8Array.from(encodeDelimited(MIXED_PROTOBUF));
      for (const target of targets.both) {
        expect(await target.push({ method: "PUT", path: "p", body })).toEqual({ status: 200, text: "" });
      }
      const [theirs, ours] = await Promise.all(targets.both.map(text));
      expect(ours).toBe(theirs as string);
      // 1.5.1 knows no floats.
      if (version === "1.5.1") return;
      const [theirFamilies, ourFamilies] = await Promise.all(targets.both.map(families));
      expect(ourFamilies).toEqual(theirFamilies as MetricFamily[]);
      const [theirGroups, ourGroups] = await Promise.all(targets.both.map((target) => target.groups()));
      expect(groupsEssence(ourGroups ?? [])).toEqual(groupsEssence(theirGroups ?? []));
    });
  });
}

await describeWithParts(["pushgateway-1.11.0"], "The embedded Pushgateway and 1.11.0", () => {
  test("expose the same protobuf of pushes in text and in protobuf", async () => {
    await using server = await startPushgateway();
    await using targets = await targetsOf(server);
    for (const target of targets.both) {
      const body = Uint8Array.from(encodeDelimited(RICH_PROTOBUF));
      expect(await target.push({ method: "POST", path: "p", body })).toEqual({ status: 200, text: "" });
      expect(await target.push({ method: "POST", path: "t", body: RICH_TEXT })).toEqual({ status: 200, text: "" });
    }
    const [theirs, ours] = await Promise.all(targets.both.map(families));
    expect(ours?.length).toBe(11);
    expect(ours).toEqual(theirs as MetricFamily[]);
  });

  test.each<[string, MetricFamily]>([
    ["a value of another type", { ...(RICH_PROTOBUF[1] as MetricFamily), type: "summary" }],
    [
      "a label twice",
      { name: "m", help: undefined, type: "gauge", metrics: [{ ...BASE, labels: ["x", "1", "x", "1"] }] },
    ],
    [
      "a label of the group twice",
      { name: "m", help: undefined, type: "gauge", metrics: [{ ...BASE, labels: ["job", "1", "job", "2"] }] },
    ],
    [
      "a label without a name",
      { name: "m", help: undefined, type: "gauge", metrics: [{ ...BASE, labels: ["", "1"] }] },
    ],
    [
      "a label name that Prometheus did not know",
      { name: "m", help: undefined, type: "gauge", metrics: [{ ...BASE, labels: ["a.b", "1"] }] },
    ],
    [
      "a label value that is not UTF-8",
      { name: "m", help: undefined, type: "gauge", metrics: [{ ...BASE, labels: ["a", "\xff"] }] },
    ],
    ["a timestamp", { name: "m", help: undefined, type: "gauge", metrics: [{ ...BASE, timestampMs: 5 }] }],
  ])("refuse %s", async (_, family) => {
    await using server = await startPushgateway();
    await using targets = await targetsOf(server);
    const body = Uint8Array.from(encodeDelimited([family]));
    const answers = targets.both.map((target) => target.push({ method: "POST", path: "p", body }));
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual(["none", 400]);
  });
});
