import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { PROTOBUF_TYPE, protobufGauge } from "../support/push-bodies.ts";

let server: LocalPushgateway;
beforeEach(async () => {
  server = await LocalPushgateway.start();
});
afterEach(async () => {
  await server.stop();
});

async function request(method: string, target: string, body?: string | Uint8Array, type?: string): Promise<Response> {
  const headers = type === undefined ? {} : { "content-type": type };
  return await fetch(`${server.url}${target}`, { method, headers, ...(body === undefined ? {} : { body }) });
}

async function json(method: string, target: string, body?: string): Promise<readonly [number, unknown]> {
  const response = await request(method, target, body);
  const { data, errorType } = (await response.json()) as { data?: unknown; errorType?: string };
  return [response.status, data ?? errorType];
}

async function push(path: string, body: string): Promise<void> {
  expect((await request("PUT", path, body)).status).toBe(200);
}

function group(path: string, parameters = ""): string {
  return `/api/v1/group?path=${encodeURIComponent(path)}${parameters}`;
}

interface Changes {
  readonly version: number;
  readonly complete: boolean;
  readonly groups: readonly { readonly labels: object; readonly version: number }[];
  readonly deleted: readonly object[];
}

async function changesSince(version: number): Promise<Changes> {
  const [status, data] = await json("GET", `/api/v1/groups/changes?since=${version}`);
  expect(status).toBe(200);
  return data as Changes;
}

test("the API can be found", async () => {
  expect(await json("GET", "/api/v1/dynamic-sharding")).toEqual([200, { api_version: 1 }]);
});

describe("GET /api/v1/group", () => {
  test("shows one group, however its path is spelled", async () => {
    await push("/metrics/job/a/x/1/y/2", "m 1\n");
    await push("/metrics/job/b", "m 2\n");
    const [status, data] = await json("GET", group("/metrics/job@base64/YQ/y/2/x@base64/MQ=="));
    expect(status).toBe(200);
    expect(data).toMatchObject({
      labels: { job: "a", x: "1", y: "2" },
      push_failure_time_seconds: 0,
      m: { type: "UNTYPED", metrics: [{ labels: { instance: "", job: "a", x: "1", y: "2" }, value: "1" }] },
    });
    const { version, push_time_seconds } = data as Record<string, number>;
    expect(version).toBeGreaterThan(0);
    expect(Math.abs(Date.now() / 1000 - (push_time_seconds ?? 0))).toBeLessThan(60);
  });

  test.each([
    [group("/metrics/job/none"), 404, "not_found"],
    [group("/metrics/job/a/b"), 400, "bad_data"],
    [group("/metrics/job/a//b"), 400, "bad_data"],
    ["/api/v1/group", 400, "bad_data"],
    ["/api/v1/group?path=%zz", 400, "bad_data"],
  ])("of %s is %d", async (target, status, errorType) => {
    expect(await json("GET", target)).toEqual([status, errorType]);
  });
});

describe("PUT /api/v1/group", () => {
  test("stores a group with its push times in the place of what is there", async () => {
    await push("/metrics/job/a", "old 1\n");
    const later = Date.now() / 1000 + 1;
    const target = group("/metrics/job/a", `&push_time_seconds=${later}&push_failure_time_seconds=12.5`);
    expect((await json("PUT", target, "m 1\n"))[0]).toBe(200);
    const [, data] = await json("GET", group("/metrics/job/a"));
    expect(data).toMatchObject({ push_time_seconds: later, push_failure_time_seconds: 12.5, m: {} });
    expect(data).not.toHaveProperty("old");
  });

  test("takes protobuf and encodings as a push does", async () => {
    const target = group("/metrics/job/a", "&push_time_seconds=1");
    expect((await request("PUT", target, protobufGauge("m", 7), PROTOBUF_TYPE)).status).toBe(200);
    expect((await json("GET", group("/metrics/job/a")))[1]).toMatchObject({ m: { type: "GAUGE" } });
  });

  test("leaves a group alone that was pushed to later", async () => {
    await push("/metrics/job/a", "m 1\n");
    expect(await json("PUT", group("/metrics/job/a", "&push_time_seconds=1"), "m 2\n")).toEqual([409, "conflict"]);
    expect((await json("GET", group("/metrics/job/a")))[1]).toMatchObject({ m: { metrics: [{ value: "1" }] } });
  });

  test.each([
    [group("/metrics/job/a"), "m 1\n", "bad_data"],
    [group("/metrics/job/a", "&push_time_seconds=x"), "m 1\n", "bad_data"],
    [group("/metrics/job/a", "&push_time_seconds=-1"), "m 1\n", "bad_data"],
    // Milliseconds, and what no calendar has: pages and JSON that show dates would fail for good.
    [group("/metrics/job/a", "&push_time_seconds=1795605144225"), "m 1\n", "bad_data"],
    [group("/metrics/job/a", "&push_time_seconds=1&push_failure_time_seconds=1e300"), "m 1\n", "bad_data"],
    [group("/metrics/job/a", "&push_time_seconds=1"), "m", "bad_data"],
    [
      group("/metrics/job/a", "&push_time_seconds=1"),
      "# TYPE process_start_time_seconds counter\nprocess_start_time_seconds 1\n",
      "bad_data",
    ],
  ])("of %s with %j is refused, and nothing is stored", async (target, body, errorType) => {
    expect(await json("PUT", target, body)).toEqual([400, errorType]);
    expect((await json("GET", group("/metrics/job/a")))[0]).toBe(404);
  });
});

describe("DELETE /api/v1/group", () => {
  test("deletes a group that was not pushed to later, and one that is not there", async () => {
    await push("/metrics/job/a", "m 1\n");
    const target = (time: number) => group("/metrics/job/a", `&not_newer_than=${time}`);
    expect(await json("DELETE", target(1))).toEqual([409, "conflict"]);
    expect((await json("GET", group("/metrics/job/a")))[0]).toBe(200);
    expect((await request("DELETE", target(Date.now() / 1000))).status).toBe(202);
    expect((await json("GET", group("/metrics/job/a")))[0]).toBe(404);
    expect((await request("DELETE", target(1))).status).toBe(202);
  });

  test("wants the time", async () => {
    expect(await json("DELETE", group("/metrics/job/a"))).toEqual([400, "bad_data"]);
  });
});

describe("GET /api/v1/groups/changes", () => {
  test("tells what changed since the last answer, and what is gone", async () => {
    await push("/metrics/job/a", "m 1\n");
    await push("/metrics/job/b", "m 1\n");
    const first = await changesSince(0);
    expect(first.groups.map(({ labels }) => labels)).toEqual([{ job: "a" }, { job: "b" }]);

    await push("/metrics/job/a", "m 2\n");
    await request("DELETE", "/metrics/job/b");
    const second = await changesSince(first.version);
    expect(second).toMatchObject({ complete: true, groups: [{ labels: { job: "a" } }], deleted: [{ job: "b" }] });

    expect(await changesSince(second.version)).toEqual({
      version: second.version,
      complete: true,
      groups: [],
      deleted: [],
    });
  });

  test("is not complete over a wipe", async () => {
    await push("/metrics/job/a", "m 1\n");
    const { version } = await changesSince(0);
    await request("PUT", "/api/v1/admin/wipe");
    expect(await changesSince(version)).toMatchObject({ complete: false, groups: [], deleted: [] });
  });

  test("is not complete over a restart, and has all groups", async () => {
    await push("/metrics/job/a", "m 1\n");
    const { version } = await changesSince(0);
    await Bun.sleep(5); // No process restarts within the millisecond in which it started, and versions begin with that.
    await using next = await LocalPushgateway.start();
    await fetch(`${next.url}/metrics/job/b`, { method: "PUT", body: "m 1\n" });
    const answer = await (await fetch(`${next.url}/api/v1/groups/changes?since=${version}`)).json();
    expect(answer).toMatchObject({ data: { complete: false, groups: [{ labels: { job: "b" } }] } });
  });

  test("since a version that is still to come, as after a clock was set back, is not complete and has all groups", async () => {
    await push("/metrics/job/a", "m 1\n");
    const { version } = await changesSince(0);
    expect(await changesSince(version + 1)).toMatchObject({ complete: false, groups: [{ labels: { job: "a" } }] });
  });

  test.each(["x", "-1", "1.5"])("since=%s is refused", async (since) => {
    expect(await json("GET", `/api/v1/groups/changes?since=${since}`)).toEqual([400, "bad_data"]);
  });
});
