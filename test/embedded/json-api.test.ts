import { expect, test } from "bun:test";
import type { Metric, MetricFamily, NativeHistogram } from "../../src/exposition/model.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import { describeWithParts } from "../support/parts.ts";
import { PROTOBUF_TYPE } from "../support/push-bodies.ts";
import { groupsEssence } from "./push-target.ts";
import { startRealAndOwn } from "./real-and-own.ts";

type Value = Metric["value"];

function family(name: string, type: MetricFamily["type"], values: readonly Value[], help?: string): MetricFamily {
  const metrics = values.map((value, index) => ({
    labels: index === 0 ? [] : ["n", String(index)],
    value,
    timestampMs: undefined,
    exemplar: undefined,
    createdAt: undefined,
  }));
  return { name, help, type, metrics };
}

const NATIVE: NativeHistogram = {
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 2,
  negative: { spans: [{ offset: 0, length: 2 }], deltas: [1, 1], counts: [] },
  positive: {
    spans: [
      { offset: 0, length: 2 },
      { offset: 3, length: 1 },
    ],
    deltas: [1, -1, 3],
    counts: [],
  },
  exemplars: [],
};
const NATIVE_FLOAT: NativeHistogram = {
  ...NATIVE,
  zeroCount: 2.5,
  negative: { spans: [], deltas: [], counts: [] },
  positive: { spans: [{ offset: -2, length: 2 }], deltas: [], counts: [1.5, 2.5] },
};
const bucket = (upperBound: number, cumulativeCount: number) => ({ upperBound, cumulativeCount, exemplar: undefined });

const FAMILIES: readonly MetricFamily[] = [
  family("c_total", "counter", [1, 2, 1e10], "a counter <b> & \u00c3\u00a9"),
  family("g", "gauge", [Number.NaN, Number.POSITIVE_INFINITY, -0.00001]),
  family("u", "untyped", [123456, 1234567], ""),
  family("h", "histogram", [
    {
      count: 2,
      sum: 3.5,
      buckets: [bucket(1, 1), bucket(Number.POSITIVE_INFINITY, 2)],
      native: undefined,
      isFloat: false,
    },
    { count: 2 ** 63, sum: 3.5, buckets: [], native: undefined, isFloat: false },
  ]),
  family("hf", "histogram", [{ count: 2.5, sum: 1, buckets: [bucket(1, 1.5)], native: undefined, isFloat: true }]),
  // A body may give the count as an integer and a bucket as a float.
  family("hm", "histogram", [{ count: 2, sum: 1, buckets: [bucket(1, 1.5)], native: undefined, isFloat: false }]),
  family("gh", "gauge_histogram", [{ count: 2, sum: 1, buckets: [bucket(1, 1)], native: undefined, isFloat: false }]),
  family("n", "histogram", [
    { count: 12, sum: 3.5, buckets: [bucket(1, 1)], native: NATIVE, isFloat: false },
    { count: 6.5, sum: 3.5, buckets: [], native: NATIVE_FLOAT, isFloat: true },
  ]),
  family("s", "summary", [
    {
      count: 3,
      sum: Number.NaN,
      quantiles: [
        { quantile: 0.5, value: 1e300 },
        { quantile: 0.05, value: 1 },
      ],
    },
  ]),
];

await describeWithParts(["pushgateway-1.11.0"], "GET /api/v1/metrics of the embedded Pushgateway", () => {
  const pair = startRealAndOwn();

  test("shows what Pushgateway 1.11.0 shows of the same pushes", async () => {
    for (const { url } of [pair.real, pair.own]) {
      await push(url, "/metrics/job/all", encodeDelimited(FAMILIES), PROTOBUF_TYPE);
      await push(url, "/metrics/job/a%22b%5C/x@base64/w6kKCQ/y/%3C%26%3E", 'a{l="\\"\\\\\\n\u2028<>"} 1\n');
      await push(url, "/metrics/job/failed", "# TYPE c_total gauge\nc_total 1\n");
      // Last: a rejected push is answered before its group is there, and what follows waits for it.
      await push(url, "/metrics/job/empty/x@base64/=", "");
    }
    const shown = await groups(pair.own.url);
    expect(shown).toHaveLength(4);
    expect(shown).toEqual(await groups(pair.real.url));
  });
});

async function push(url: string, path: string, body: string | Uint8Array, type = "text/plain"): Promise<void> {
  const init = { method: "PUT", body, headers: { "content-type": type }, keepalive: false };
  // 1.11.0 answers an inconsistent push by closing the connection.
  await fetch(url + path, init).catch(() => {});
}

async function groups(url: string): Promise<readonly unknown[]> {
  const { data } = (await (await fetch(`${url}/api/v1/metrics`)).json()) as { data: readonly object[] };
  return groupsEssence(data);
}
