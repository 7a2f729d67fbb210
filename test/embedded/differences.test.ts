import { beforeAll, describe, expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { waitFor } from "../support/wait-for.ts";
import { startRealAndOwn } from "./real-and-own.ts";

/** A request, and status and first line of both answers; "none" where the connection was closed without one. */
type Row = readonly [method: string, path: string, init: RequestInit, theirs: string, ours: string];

const TIMESTAMP = { body: "x 1 1\n" };
const REJECTED = "400 pushed metrics are invalid or inconsistent with existing metrics: ";

async function answer(url: string, method: string, path: string, init: RequestInit): Promise<string> {
  try {
    const response = await fetch(url + path, { method, redirect: "manual", keepalive: false, ...init });
    const [line = ""] = (await response.text()).split("\n");
    return `${response.status} ${response.headers.get("location") ?? line}`;
  } catch {
    return "none";
  }
}

// docs/embedded-pushgateway.md, "What is different".
await describeWithParts(["pushgateway-1.11.0"], "the embedded Pushgateway differs from 1.11.0", () => {
  const pair = startRealAndOwn();

  test.each<Row>([
    ["PUT", "/metrics/job/a", TIMESTAMP, "none", `${REJECTED}pushed metrics must not have timestamps`],
    ["DELETE", "/metrics/job/a", { headers: { "content-encoding": "gzip" } }, "400 EOF", "202 "],
    ["GET", "/api/v1/metrics/", {}, "301 /metrics", "301 /api/v1/metrics"],
    ["GET", "/api/v1", {}, "301 /api/v1/", "404 404 page not found"],
    ["GET", "/debug/pprof/cmdline", {}, "200 ", "404 404 page not found"],
  ])("in its answer to %s %s", async (method, path, init, theirs, ours) => {
    expect(await answer(pair.real.url, method, path, init)).toStartWith(theirs);
    expect(await answer(pair.own.url, method, path, init)).toBe(ours);
  });
});

await describeWithParts(["pushgateway-1.11.0"], "with --push.disable-consistency-check", () => {
  const pair = startRealAndOwn(
    { flags: ["--push.disable-consistency-check", "--web.enable-admin-api"] },
    { reportsInconsistency: false },
  );

  const push = (url: string, group: string, body: string) => answer(url, "PUT", `/metrics/job/${group}`, { body });

  async function samples(url: string, start: string): Promise<readonly string[]> {
    const text = await (await fetch(`${url}/metrics`)).text();
    return text.split("\n").filter((line) => line.startsWith(start));
  }

  test("both answer 202 to every push that can be read, and drop one with timestamps", async () => {
    for (const { url } of [pair.real, pair.own]) {
      expect(await push(url, "a", "x 1\n")).toBe("202 ");
      expect(await push(url, "b", "x 1 1\n")).toBe("202 ");
      expect(await push(url, "c", "x")).toStartWith("400 text format parsing error in line 1");
      await waitFor("both groups", async () => (await samples(url, "push_failure_time_seconds{")).length === 2);
      expect(await samples(url, "x{")).toEqual(['x{instance="",job="a"} 1']);
      const [ofA, ofB] = await samples(url, "push_failure_time_seconds{");
      expect(ofA).toBe('push_failure_time_seconds{instance="",job="a"} 0');
      expect(ofB).toMatch(/^push_failure_time_seconds\{instance="",job="b"\} 1\.\d+e\+09$/);
    }
  });

  describe("a push that does not fit", () => {
    beforeAll(async () => {
      for (const { url } of [pair.real, pair.own]) {
        expect(await push(url, "a", "# TYPE x gauge\nx 1\n")).toBe("202 ");
        expect(await push(url, "d", "# TYPE x counter\nx 1\n")).toBe("202 ");
      }
    });

    test("spoils the scrapes of Pushgateway", async () => {
      await waitFor("the failing scrape", async () => (await fetch(`${pair.real.url}/metrics`)).status === 500);
    });

    test("is dropped by the embedded one, which shows it as failed", async () => {
      expect(await samples(pair.own.url, "x{")).toEqual(['x{instance="",job="a"} 1']);
      const [failed] = await samples(pair.own.url, 'push_failure_time_seconds{instance="",job="d"}');
      expect(failed).toMatch(/ 1\.\d+e\+09$/);
    });
  });
});
