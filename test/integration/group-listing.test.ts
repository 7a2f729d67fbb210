import { afterAll, beforeAll, expect, test } from "bun:test";
import { encodeDelimited } from "../../src/exposition/protobuf-encoder.ts";
import type { ListedGroup } from "../../src/pushgateway/group-json.ts";
import { type ListingSummary, listGroups } from "../../src/pushgateway/group-listing.ts";
import { MemberRequestError } from "../../src/pushgateway/member-request.ts";
import { groupIdOf, groupPathOf } from "../../src/sharding/group-id.ts";
import { parsePushPath } from "../../src/sharding/grouping-key.ts";
import { WorkSlices } from "../../src/work-slices.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";

const OPTIONS = { timeoutMs: 10_000, slices: new WorkSlices() };
const PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

async function list(address: string): Promise<{ groups: Map<string, ListedGroup>; summary: ListingSummary }> {
  const groups = new Map<string, ListedGroup>();
  const summary = await listGroups(address, OPTIONS, (group) => void groups.set(group.id, group));
  return { groups, summary };
}

/** Pushes to a path that must go over the wire as it is. */
async function push(server: Pushgateway, path: string, body: string | Uint8Array<ArrayBuffer>): Promise<number> {
  const headers = typeof body === "string" ? {} : { "content-type": PROTOBUF };
  const response = await fetch(server.url + path, { method: "PUT", headers, body: Buffer.from(body) });
  await response.body?.cancel();
  return response.status;
}

function idOf(path: string, utf8Names = false): string {
  return groupIdOf(parsePushPath(path, { utf8Names }));
}

for (const version of ["1.5.1", "1.11.0"] as const) {
  await describeWithParts([`pushgateway-${version}`], `listGroups() of Pushgateway ${version}`, () => {
    let server: Pushgateway;
    beforeAll(async () => {
      server = await startPushgateway({ version, flags: ["--web.enable-admin-api"] });
    });
    afterAll(() => server.stop());

    async function wipe(): Promise<void> {
      await fetch(`${server.url}/api/v1/admin/wipe`, { method: "PUT" });
    }

    test("lists nothing when there is nothing, and tells the clock", async () => {
      await wipe();
      const { groups, summary } = await list(server.address);
      expect(groups.size).toBe(0);
      expect([summary.groups, summary.bytes]).toEqual([0, 30]);
      expect(Math.abs((summary.clock?.memberSeconds ?? 0) - Date.now() / 1_000)).toBeLessThan(10);
    });

    test("lists what was pushed, under the key under which it was pushed", async () => {
      await wipe();
      const paths = [
        "/metrics/job/plain",
        "/metrics/job/b/instance/i/x/y",
        "/metrics/job/b/x/z/instance/i",
        "/metrics/job@base64/L3Zhci90bXA/empty@base64/=",
        "/metrics/job/%C3%A9%E2%82%AC%F0%9F%98%80/x/%E2%80%A8%3C%26%22%5C%01%7F",
      ];
      const before = Date.now() / 1_000;
      for (const path of paths) expect(await push(server, path, `some_metric{y="é"} 1\n`)).toBe(200);
      const { groups, summary } = await list(server.address);
      expect([...groups.keys()].sort()).toEqual(paths.map((path) => idOf(path)).sort());
      expect(summary.groups).toBe(paths.length);
      for (const group of groups.values()) {
        expect(groupIdOf(group.key)).toBe(group.id);
        expect(idOf(groupPathOf(group.key, { utf8Names: false }))).toBe(group.id);
        expect(group.pushTime).toBeGreaterThan(before - 1);
        expect(group.pushTime).toBeLessThan(Date.now() / 1_000 + 1);
        expect(group.pushFailureTime).toBe(0);
        expect([...group.families().keys()]).toEqual(["some_metric"]);
        expect(group.families().get("some_metric")?.metrics[0]?.labels).toMatchObject({ y: "\xc3\xa9" });
        expect(JSON.parse(group.json.toString())).toHaveProperty("push_time_seconds");
      }
    });

    test("lists a group whose push was rejected, and one that was emptied", async () => {
      await wipe();
      await push(server, "/metrics/job/rejected", "m 1 5\n").catch(() => {});
      await push(server, "/metrics/job/emptied", "");
      const { groups } = await list(server.address);
      const rejected = groups.get("rejected");
      expect(rejected?.pushTime).toBe(0);
      expect(rejected?.pushFailureTime).toBeGreaterThan(Date.now() / 1_000 - 60);
      expect(groups.get("emptied")?.pushTime).toBeGreaterThan(Date.now() / 1_000 - 60);
      expect(groups.get("emptied")?.families().size).toBe(0);
    });

    test("lists groups with families that are called like the JSON's own members", async () => {
      await wipe();
      const path = "/metrics/job/clash/x/y";
      expect(await push(server, path, "labels 1\nlast_push_successful 2\nm 3\n")).toBe(200);
      const group = (await list(server.address)).groups.get(idOf(path));
      expect([...(group?.families().keys() ?? [])].sort()).toEqual(["labels", "last_push_successful", "m"]);
      expect(group?.pushTime).toBeGreaterThan(0);
    });

    test("lists a group with a native histogram", async () => {
      await wipe();
      const buckets = { spans: [{ offset: 0, length: 1 }], deltas: [1], counts: [] };
      const none = { spans: [], deltas: [], counts: [] };
      const native = { schema: 0, zeroThreshold: 0, zeroCount: 0, negative: none, positive: buckets, exemplars: [] };
      const value = { count: 1, sum: 1, buckets: [], native, isFloat: false };
      const metric = { labels: [], value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
      const body = encodeDelimited([{ name: "h", help: undefined, type: "histogram", metrics: [metric] }]);
      expect(await push(server, "/metrics/job/native", new Uint8Array(body))).toBe(200);
      const group = (await list(server.address)).groups.get("native");
      expect(group?.families().get("h")?.type).toBe("HISTOGRAM");
    });
  });
}

await describeWithParts(["pushgateway-1.11.0"], "listGroups() of a Pushgateway with --push.enable-utf8-names", () => {
  test("lists label names and metric names beyond the legacy ones", async () => {
    await using server = await startPushgateway({ flags: ["--push.enable-utf8-names"] });
    const path = "/metrics/job/a/U__a_2e_b/1/%C3%A9/2";
    expect(await push(server, path, '{"met.ric é","la.bel"="x"} 1\n')).toBe(200);
    const { groups } = await list(server.address);
    const group = groups.get(idOf(path, true)) as ListedGroup;
    expect(group.id).toBe("a\xffa.b\xff1\xff\xc3\xa9\xff2");
    expect(idOf(groupPathOf(group.key, { utf8Names: true }), true)).toBe(group.id);
    expect([...group.families().keys()]).toEqual(["met.ric \xc3\xa9"]);
    expect(group.families().get("met.ric \xc3\xa9")?.metrics[0]?.labels).toMatchObject({ "la.bel": "x" });
  });
});

await describeWithParts(["pushgateway-1.11.0"], "listGroups() of a Pushgateway in trouble", () => {
  const LARGE = `m{x="${"x".repeat(10_000)}"} 1\n`;

  /** Its listing is more than fits in the buffers of a connection. */
  async function startLarge(): Promise<Pushgateway> {
    const server = await startPushgateway({ flags: ["--push.disable-consistency-check"] });
    for (let i = 0; i < 2_000; i++) await push(server, `/metrics/job/job_${i}`, LARGE);
    return server;
  }

  test.each([
    ["freezes", (server: Pushgateway) => server.freeze(), "timeout"],
    ["dies", async (server: Pushgateway) => server.kill("SIGKILL"), "cut"],
  ])("rejects when it %s within its answer", async (_how, trouble, kind) => {
    await using server = await startLarge();
    let visited = 0;
    const visit = async () => {
      if (++visited === 100) await trouble(server);
    };
    const options = { ...OPTIONS, idleTimeoutMs: 500 };
    const error = await listGroups(server.address, options, visit).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MemberRequestError);
    expect((error as MemberRequestError).kind as string).toBe(kind);
    expect(visited).toBeGreaterThanOrEqual(100);
    expect(visited).toBeLessThan(2_000);
    if (kind === "timeout") server.kill("SIGCONT");
  });
});
