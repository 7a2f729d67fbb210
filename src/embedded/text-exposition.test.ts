import { expect, test } from "bun:test";
import type { MetricFamily } from "../exposition/model.ts";
import { parseDelimited } from "../exposition/protobuf-decoder.ts";
import { encodeDelimited } from "../exposition/protobuf-encoder.ts";
import { parseText } from "../exposition/text-parser.ts";
import { parsePushPath } from "../sharding/grouping-key.ts";
import { exposeFamilies } from "./family-exposition.ts";
import { GroupStore } from "./group-store.ts";
import { exposeText } from "./text-exposition.ts";

const OWN = parseText(Buffer.from("# HELP own_info Mine.\n# TYPE own_info gauge\nown_info 1\n"));
const BODY = `# HELP c A \\\\counter\\n.
# TYPE c counter
c{b="\\\\ \\n \\" é"} 1e6
c NaN
# TYPE h histogram
h_bucket{le="0.00001"} 1
h_bucket{le="+Inf"} 2
h_sum -0.5
h_count 2
# TYPE own_info gauge
own_info 3
# TYPE s summary
s{quantile="0.5"} 1
s_sum 2
s_count 3
u -Inf
`;

function storeOf(...groups: readonly (readonly [path: string, body: string])[]): GroupStore {
  const store = new GroupStore({ utf8Names: true, ownFamilies: OWN });
  for (const [path, body] of groups) {
    store.update(parsePushPath(`/metrics/job/${path}`, { utf8Names: true }), parseText(Buffer.from(body)), 1.75e9);
  }
  return store;
}

function samplesOf(store: GroupStore): string[] {
  const lines = exposeText(store, []).toString().split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

/** Families as a reader of the format sees them: JSON, so that what is absent and what is undefined look the same. */
function seen(families: Iterable<MetricFamily>): unknown {
  return JSON.parse(
    JSON.stringify(
      Array.from(families, ({ name, help, type, metrics }) => ({
        name,
        help,
        type,
        metrics: metrics.map(({ labels, value }) => ({
          labels,
          value: typeof value === "number" ? String(value) : value,
        })),
      })),
    ),
  );
}

test("text and protobuf expose the same", () => {
  const store = storeOf(["a/x/%22%5C", BODY], ["b", BODY], ["c", ""]);
  const text = exposeText(store, OWN);
  expect(seen(parseText(text))).toEqual(seen(exposeFamilies(store, OWN)));
  expect(seen(parseDelimited(encodeDelimited(exposeFamilies(store, OWN))))).toEqual(seen(parseText(text)));
});

test("nothing but the server's own is exposed of an empty store", () => {
  expect(exposeText(storeOf(), OWN).toString()).toBe("# HELP own_info Mine.\n# TYPE own_info gauge\nown_info 1\n");
  expect(exposeText(storeOf(), []).toString()).toBe("");
});

test("a histogram without a bucket for all gets one, and a zero has no sign", () => {
  const lines = exposeText(storeOf(["a", "# TYPE h histogram\nh_sum -0\nh_count 7\n"]), [])
    .toString()
    .split("\n");
  expect(lines.slice(0, 4)).toEqual([
    "# TYPE h histogram",
    'h_bucket{instance="",job="a",le="+Inf"} 7',
    'h_sum{instance="",job="a"} 0',
    'h_count{instance="",job="a"} 7',
  ]);
});

test("names that the format does not know get underscores", () => {
  const store = storeOf(["a/U__b_2e_c/1", '{"9.é","d:e"="x"} 1\n']);
  expect(samplesOf(store)).toEqual([
    '___{b_c="1",d_e="x",instance="",job="a"} 1',
    'push_failure_time_seconds{b_c="1",instance="",job="a"} 0',
    'push_time_seconds{b_c="1",instance="",job="a"} 1.75e+09',
  ]);
});
