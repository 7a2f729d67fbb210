import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Metric, MetricFamily } from "../../src/exposition/model.ts";
import { parseDelimited } from "../../src/exposition/protobuf-decoder.ts";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import {
  type ContentFamily,
  encodeGroupBody,
  type GroupContents,
  readGroups,
} from "../../src/pushgateway/group-contents.ts";
import { groupPathOf, keyOfGroupId } from "../../src/sharding/group-id.ts";
import { WorkSlices } from "../../src/work-slices.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";

const OPTIONS = { timeoutMs: 10_000, slices: new WorkSlices() };
const PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

const EXEMPLAR = { labels: ["trace_id", "1f"], value: 0.5, timestamp: { seconds: 1_700_000_000, nanos: 5 } };
const CREATED = { seconds: 1_700_000_000, nanos: 999_999_999 };
const BUCKETS = { spans: [{ offset: -3, length: 2 }], deltas: [1, 2], counts: [] };
const BASE: Metric = {
  labels: ["b", "\xc3\xa9", "a", ""],
  value: 0.1 + 0.2,
  timestampMs: undefined,
  exemplar: undefined,
  createdAt: undefined,
};
const CLASSIC = {
  count: 2 ** 53,
  sum: -2.5,
  buckets: [
    { upperBound: 1e-5, cumulativeCount: 3, exemplar: EXEMPLAR },
    { upperBound: Number.POSITIVE_INFINITY, cumulativeCount: 5, exemplar: undefined },
  ],
  native: undefined,
  isFloat: false,
};
const NATIVE = {
  ...CLASSIC,
  buckets: [],
  native: {
    schema: -4,
    zeroThreshold: 1e-128,
    zeroCount: 1,
    negative: BUCKETS,
    positive: BUCKETS,
    exemplars: [EXEMPLAR],
  },
};

/** All that JSON tells. */
const PLAIN: readonly MetricFamily[] = [
  { name: "c", help: 'A "counter".\n', type: "counter", metrics: [BASE, { ...BASE, labels: [], value: 1e300 }] },
  {
    name: "g",
    help: undefined,
    type: "gauge",
    metrics: [
      { ...BASE, value: Number.NaN },
      { ...BASE, labels: [], value: -0 },
    ],
  },
  { name: "u", help: undefined, type: "untyped", metrics: [{ ...BASE, value: Number.NEGATIVE_INFINITY }] },
  {
    name: "s",
    help: undefined,
    type: "summary",
    metrics: [{ ...BASE, value: { count: 7, sum: 1e-9, quantiles: [{ quantile: 0.9, value: Number.NaN }] } }],
  },
];

/** What only protobuf tells besides. */
const RICH: readonly MetricFamily[] = [
  ...PLAIN,
  { name: "c_rich", help: "", type: "counter", metrics: [{ ...BASE, exemplar: EXEMPLAR, createdAt: CREATED }] },
  { name: "h", help: "H", type: "histogram", metrics: [{ ...BASE, value: CLASSIC, createdAt: CREATED }] },
  { name: "n", help: "N", type: "histogram", metrics: [{ ...BASE, value: NATIVE, createdAt: CREATED }] },
  {
    name: "both",
    help: "B",
    type: "histogram",
    metrics: [
      { ...BASE, value: { ...NATIVE, buckets: CLASSIC.buckets } },
      { ...BASE, labels: [], value: NATIVE },
    ],
  },
];

/** What a Pushgateway exposes under the names of these families. */
async function exposed(server: Server, families: readonly MetricFamily[]): Promise<readonly MetricFamily[]> {
  const response = await fetch(`${server.url}/metrics`, { headers: { accept: `${PROTOBUF};escaping=allow-utf-8` } });
  const names = new Set(families.map(({ name }) => name));
  return parseDelimited(await response.bytes()).filter(({ name }) => names.has(name));
}

async function push(server: Server, id: string, body: string | Uint8Array): Promise<void> {
  const headers = typeof body === "string" ? {} : { "content-type": PROTOBUF };
  const path = groupPathOf(keyOfGroupId(id), { utf8Names: true });
  const response = await fetch(server.url + path, { method: "POST", headers, body: Buffer.from(body) });
  if (response.status !== 200 && response.status !== 202)
    throw new Error(`${response.status} ${await response.text()}`);
  await response.body?.cancel();
}

async function wipe(...servers: readonly Server[]): Promise<void> {
  for (const { url } of servers) await fetch(`${url}/api/v1/admin/wipe`, { method: "PUT" });
}

async function readOne(server: Server, id: string): Promise<GroupContents> {
  const contents = await readGroups(server.address, new Set([id]), OPTIONS);
  expect([...contents.keys()]).toEqual([id]);
  return contents.get(id) as GroupContents;
}

/** What of a Pushgateway is needed here. */
type Server = Pick<Pushgateway, "address" | "url" | "stop">;

const VERSIONS = ["1.5.1", "1.11.0"] as const;
const KINDS = [...VERSIONS, "embedded"] as const;
const PARTS = VERSIONS.map((version) => `pushgateway-${version}` as const);

await describeWithParts(PARTS, "readGroups() and encodeGroupBody()", () => {
  const servers = new Map<string, Server>();
  beforeAll(async () => {
    for (const version of VERSIONS) {
      const flags = ["--web.enable-admin-api"];
      servers.set(`from ${version}`, await startPushgateway({ version, flags }));
      servers.set(`to ${version}`, await startPushgateway({ version, flags }));
    }
    for (const end of ["from", "to"]) servers.set(`${end} embedded`, await LocalPushgateway.start());
  });
  afterAll(async () => {
    for (const server of servers.values()) await server.stop();
  });

  const pairs = KINDS.flatMap((from) => KINDS.map((to) => [from, to] as const));

  test.each(pairs)("carry everything in full from %s to %s", async (fromVersion, toVersion) => {
    const from = servers.get(`from ${fromVersion}`) as Server;
    const to = servers.get(`to ${toVersion}`) as Server;
    await wipe(from, to);
    const id = "a/b\xffempty\xff\xffx\xff\xc3\xa9";
    await push(from, id, encodeDelimited(RICH));
    const { families, incomplete } = await readOne(from, id);
    expect(incomplete).toBe(false);
    expect(families.map(({ name }) => name).sort()).toEqual(RICH.map(({ name }) => name).sort());
    await push(to, id, encodeGroupBody(families));
    const original = await exposed(from, RICH);
    expect(original).toHaveLength(RICH.length);
    expect(await exposed(to, RICH)).toEqual(original as MetricFamily[]);
  });

  test.each(KINDS)("%s: keep apart the groups of one member, whose series share names", async (version) => {
    const server = servers.get(`from ${version}`) as Server;
    await wipe(server);
    await push(server, "a", 'm 1\nm{x="2"} 2\nonly_a 1\n');
    await push(server, "a\xffx\xff1", "m 3\n");
    await push(server, "a\xffinstance\xffi", 'm{x="1"} 4\n');
    await push(server, "other", "m 5\n");
    const contents = await readGroups(
      server.address,
      new Set(["a", "a\xffx\xff1", "a\xffinstance\xffi", "gone"]),
      OPTIONS,
    );
    const values = [...contents].map(([id, { families }]) => [
      id,
      families.map(({ name, metrics }) => [name, metrics.map(({ value }) => value)]),
    ]);
    expect(Object.fromEntries(values)).toEqual({
      a: [
        ["m", [1, 2]],
        ["only_a", [1]],
      ],
      "a\xffx\xff1": [["m", [3]]],
      "a\xffinstance\xffi": [["m", [4]]],
    });
  });

  test.each(KINDS)("%s: a family has the time of the push that brought it", async (version) => {
    const server = servers.get(`from ${version}`) as Server;
    await wipe(server);
    await push(server, "a", "first 1\n");
    const pushedAt = Date.now();
    // Embedded Pushgateways tell times in milliseconds.
    await waitFor("the clock to go on", () => Date.now() > pushedAt);
    await push(server, "a", "second 1\n");
    const { pushTime, families } = await readOne(server, "a");
    const times = new Map(families.map(({ name, pushedAt }: ContentFamily) => [name, pushedAt]));
    expect(times.get("second")).toBe(pushTime);
    expect(times.get("first")).toBeLessThan(pushTime);
    expect(times.get("first")).toBeGreaterThan(pushTime - 10);
  });

  test.each(KINDS)("%s: a group that holds nothing, and one whose only push was rejected", async (version) => {
    const server = servers.get(`from ${version}`) as Server;
    await wipe(server);
    // A rejected push is answered before its group is there; what follows waits for it.
    await push(server, "rejected", "m 1 5\n").catch(() => {});
    await push(server, "empty", "");
    const contents = await readGroups(server.address, new Set(["empty", "rejected"]), OPTIONS);
    expect(contents.get("empty")).toMatchObject({ families: [], pushFailureTime: 0, incomplete: false });
    expect(contents.get("empty")?.pushTime).toBeGreaterThan(0);
    expect(contents.get("rejected")).toMatchObject({ families: [], pushTime: 0, incomplete: false });
    expect(contents.get("rejected")?.pushFailureTime).toBeGreaterThan(0);
  });

  test.each(VERSIONS)("%s: while the member exposes nothing, JSON tells what it can", async (version) => {
    await using server = await startPushgateway({ version, flags: ["--push.disable-consistency-check"] });
    const read = () => readGroups(server.address, new Set(["plain", "native"]), OPTIONS);
    await push(server, "plain", encodeDelimited(PLAIN));
    await push(server, "native", encodeDelimited(RICH.slice(-3)));
    // Without the check, a Pushgateway answers 202 before it applies the push.
    const expected = await waitFor("both groups", async () => {
      const contents = await read();
      return contents.size === 2 && contents;
    });
    await push(server, "inconsistent", "# TYPE c gauge\nc 1\n");
    await waitFor("the failing scrape", async () => (await fetch(`${server.url}/metrics`)).status === 500);
    const contents = await read();
    expect(contents.get("plain")).toEqual(expected.get("plain") as GroupContents);
    expect(contents.get("native")?.incomplete).toBe(true);
    expect(contents.get("native")?.families.map(({ name }) => name)).toContain("h");
  });
});

await describeWithParts(["pushgateway-1.11.0"], "readGroups() of a Pushgateway with --push.enable-utf8-names", () => {
  test("reads names beyond the legacy ones", async () => {
    const flags = ["--push.enable-utf8-names"];
    await using server = await startPushgateway({ flags });
    await using other = await startPushgateway({ flags });
    const id = "a\xffa.b\xff1";
    await push(server, id, '{"met.ric é","la.bel"="x"} 1\n');
    const { families, incomplete } = await readOne(server, id);
    expect([families.map(({ name }) => name), incomplete]).toEqual([["met.ric \xc3\xa9"], false]);
    await push(other, id, encodeGroupBody(families));
    expect((await readOne(other, id)).families.map(({ metrics }) => metrics)).toEqual(
      families.map(({ metrics }) => metrics),
    );
  });
});
