import { beforeAll, expect, test } from "bun:test";
import type { MetricFamily } from "../../src/exposition/model.ts";
import { parseDelimited } from "../../src/exposition/protobuf-decoder.ts";
import { describeWithParts } from "../support/parts.ts";
import { PROTOBUF_TYPE } from "../support/push-bodies.ts";
import { essence } from "./push-target.ts";
import { startRealAndOwn } from "./real-and-own.ts";

const BODY = `# HELP "dotted.name" With \\"quotes\\".
# TYPE "dotted.name" gauge
{"dotted.name","a.b"="c"} 1
{"dotted.name",plain="c"} 2
# TYPE plain counter
plain{"\u00e9\u00e8"="x,\\"y"} 3
# TYPE "a histogram" histogram
{"a histogram_bucket",le="1"} 1
{"a histogram_sum"} 2
{"a histogram_count"} 3
# TYPE "1 summary" summary
{"1 summary",quantile="0.5"} 1
{"1 summary_sum"} 2
{"1 summary_count"} 3
# TYPE ordinary gauge
ordinary{x=",\\""} 4
`;

await describeWithParts(["pushgateway-1.11.0"], "names beyond the legacy ones", () => {
  const pair = startRealAndOwn({ flags: ["--push.enable-utf8-names"] }, { utf8Names: true });
  beforeAll(async () => {
    for (const { url } of [pair.real, pair.own]) {
      for (const path of ["/metrics/job/a/U__x_2e_y/z", "/metrics/job/b"]) {
        const response = await fetch(url + path, { method: "PUT", body: BODY });
        expect([response.status, await response.text()]).toEqual([200, ""]);
      }
    }
  });

  async function scrape(url: string, accept: string): Promise<Response> {
    return await fetch(`${url}/metrics`, { headers: { accept } });
  }

  test.each(["text/plain;version=0.0.4", "text/plain;version=0.0.4;escaping=allow-utf-8"])(
    "are exposed as by Pushgateway 1.11.0 for %s",
    async (accept) => {
      const [theirs, ours] = [await scrape(pair.real.url, accept), await scrape(pair.own.url, accept)];
      expect(ours.headers.get("content-type")).toBe(theirs.headers.get("content-type"));
      const shown = essence(await ours.text());
      expect(shown.length).toBeGreaterThan(20);
      expect(shown).toEqual(essence(await theirs.text()));
    },
  );

  test.each([PROTOBUF_TYPE, `${PROTOBUF_TYPE};escaping=allow-utf-8`])(
    "are exposed as by Pushgateway 1.11.0 for %s",
    async (accept) => {
      const [theirs, ours] = [await scrape(pair.real.url, accept), await scrape(pair.own.url, accept)];
      expect(ours.headers.get("content-type")).toBe(theirs.headers.get("content-type"));
      const shown = namesIn(parseDelimited(await ours.bytes()));
      expect(shown.length).toBeGreaterThan(10);
      expect(shown).toEqual(namesIn(parseDelimited(await theirs.bytes())));
    },
  );
});

/** Names of families and of the labels of each series, without what the server says of itself. */
function namesIn(families: readonly MetricFamily[]): readonly string[] {
  const pushed = families.filter(({ name }) => !/^(go|process|promhttp|pushgateway)_/.test(name));
  return pushed.flatMap(({ name, metrics }) => metrics.map(({ labels }) => `${name} ${labels.join(" ")}`)).sort();
}
