import { afterAll, beforeAll, expect, test } from "bun:test";
import type { MetricFamily } from "../../src/exposition/model.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { describeWithParts, part } from "../support/parts.ts";
import { type Prometheus, startPrometheus } from "../support/prometheus.ts";
import { PROTOBUF_TYPE } from "../support/push-bodies.ts";
import { runCommand } from "../support/run-command.ts";
import { waitFor } from "../support/wait-for.ts";

const TEXT = `# HELP batch_records How many records.
# TYPE batch_records counter
batch_records{kind="a"} 12
# TYPE batch_seconds histogram
batch_seconds_bucket{le="1"} 1
batch_seconds_bucket{le="+Inf"} 3
batch_seconds_sum 7.5
batch_seconds_count 3
# TYPE batch_size summary
batch_size{quantile="0.5"} 4
batch_size_sum 20
batch_size_count 5
`;

/** Seven observations, of which two lie around zero, two between 1 and 2, and three between 2 and 4. */
const NATIVE: MetricFamily = {
  name: "native_seconds",
  help: "A native histogram.",
  type: "histogram",
  metrics: [
    {
      labels: [],
      timestampMs: undefined,
      exemplar: undefined,
      createdAt: undefined,
      value: {
        count: 7,
        sum: 12,
        buckets: [],
        isFloat: false,
        native: {
          schema: 0,
          zeroThreshold: 0.001,
          zeroCount: 2,
          negative: { spans: [], deltas: [], counts: [] },
          positive: { spans: [{ offset: 1, length: 2 }], deltas: [2, 1], counts: [] },
          exemplars: [],
        },
      },
    },
  ],
};

await describeWithParts(["prometheus", "promtool"], "the embedded Pushgateway", () => {
  let server: LocalPushgateway;
  const resources = new AsyncDisposableStack();
  const prometheus: Partial<Record<"text" | "protobuf", Prometheus>> = {};
  beforeAll(async () => {
    server = resources.use(await LocalPushgateway.start());
    await push("/metrics/job/batch/instance/db-1", TEXT);
    await push("/metrics/job/other/dc/\u00fcber%20%22", TEXT);
    await push("/metrics/job/native", encodeDelimited([NATIVE]), PROTOBUF_TYPE);
    const target = { job_name: "pushgateway", honor_labels: true, static_configs: [{ targets: [server.address] }] };
    prometheus.text = resources.use(await startPrometheus({ scrapeConfigs: [target] }));
    // With it, Prometheus asks for protobuf.
    const flags = ["--enable-feature=native-histograms"];
    prometheus.protobuf = resources.use(await startPrometheus({ scrapeConfigs: [target], flags }));
    for (const format of ["text", "protobuf"] as const) {
      // Prometheus takes five seconds to begin.
      await waitFor("the first scrape", async () => (await value(format, "up")) === 1, { timeoutMs: 30_000 });
    }
  }, 60_000);
  afterAll(async () => {
    await resources.disposeAsync();
  });

  async function push(path: string, body: string | Uint8Array, type = "text/plain"): Promise<void> {
    const headers = { "content-type": type };
    expect((await fetch(server.url + path, { method: "PUT", body, headers })).status).toBe(200);
  }

  /** Series are gone while the last scrape is one that failed. */
  async function value(format: "text" | "protobuf", query: string): Promise<number> {
    return (await waitFor(query, async () => (await prometheus[format]?.query(query))?.[0])).value;
  }

  test.each([
    ['batch_records{job="batch",instance="db-1",kind="a"}', 12],
    ['batch_records{job="other",dc="\u00fcber \\"",instance=""}', 12],
    // Of protobuf, Prometheus 2.42 writes bounds as floats.
    ['batch_seconds_bucket{job="batch",le=~"1|1.0"}', 1],
    ['batch_seconds_count{job="batch"}', 3],
    ['batch_size{job="batch",quantile="0.5"}', 4],
    ['batch_size_sum{job="other"}', 20],
    ["count(push_time_seconds > 1e9)", 3],
    ["sum(push_failure_time_seconds)", 0],
    ['pushgateway_http_requests_total{handler="push",method="put",code="200"}', 3],
    ['pushgateway_http_push_size_bytes_count{method="put"}', 3],
    ["process_resident_memory_bytes > bool 1e6", 1],
  ])("has Prometheus scrape %s from text and from protobuf", async (query, expected) => {
    expect([await value("text", query), await value("protobuf", query)]).toEqual([expected, expected]);
  });

  test.each([
    ["histogram_count(native_seconds)", 7],
    ["histogram_sum(native_seconds)", 12],
    ["histogram_fraction(1, 2, native_seconds) * 7", 2],
  ])("has Prometheus scrape %s from protobuf", async (query, expected) => {
    expect(await value("protobuf", query)).toBe(expected);
  });

  test("exposes what promtool has nothing to say against", async () => {
    const input = await (await fetch(`${server.url}/metrics`)).text();
    // It would object to the names and types of what was pushed, such as a histogram without buckets.
    const own = input.replaceAll(/^(# (HELP|TYPE) )?(batch|native)_.*\n/gm, "");
    expect(own).toContain("pushgateway_build_info");
    expect(own).toContain("push_time_seconds");
    expect(await runCommand([await part("promtool"), "check", "metrics"], { input: own })).toBe("");
  });
});
