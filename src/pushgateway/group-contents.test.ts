import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { MetricFamily } from "../exposition/model.ts";
import { encodeDelimited } from "../exposition/protobuf-encoder.ts";
import { WorkSlices } from "../work-slices.ts";
import { readGroups } from "./group-contents.ts";
import { MemberRequestError } from "./member-request.ts";

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

interface Member {
  readonly address: string;
  /** Targets that were asked for, in order. */
  readonly asked: string[];
}

/** A member that answers as the table says, by path, and 404 as a Pushgateway does. */
async function listen(answers: Readonly<Record<string, Answer>>): Promise<Member> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const target = request.url ?? "";
    asked.push(target);
    const answer = answers[target.replace(/\?.*/, "")];
    if (answer !== undefined) answer(response, request);
    else response.writeHead(404, { "content-type": "text/plain; charset=utf-8" }).end("404 page not found\n");
  });
  resources.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("Cannot learn the port: not a TCP server");
  return { address: `127.0.0.1:${address.port}`, asked };
}

const PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
const OPTIONS = { timeoutMs: 5_000, slices: new WorkSlices() };

function json(text: string): Answer {
  return (response) => response.writeHead(200, { "content-type": "application/json" }).end(text);
}

function protobuf(...families: readonly MetricFamily[]): Answer {
  return (response) => response.writeHead(200, { "content-type": PROTOBUF }).end(encodeDelimited(families));
}

function family(name: string, type: "counter" | "gauge", value: number, timestampMs?: number): MetricFamily {
  const labels = ["instance", "", "job", "a"];
  return {
    name,
    help: undefined,
    type,
    metrics: [{ labels, value, timestampMs, exemplar: undefined, createdAt: undefined }],
  };
}

function listing(type: string, pushTime: string, value = "1"): Answer {
  const one = (kind: string, number: string) =>
    `{"time_stamp":"2026-11-23T10:30:58Z","type":"${kind}","metrics":[{"labels":{"instance":"","job":"a"},"value":"${number}"}]}`;
  return json(
    `{"status":"success","data":[{"labels":{"job":"a"},"m":${one(type, value)},"push_time_seconds":${one("GAUGE", pushTime)}}]}`,
  );
}

describe("readGroups()", () => {
  test("asks a stock member once for a single group, then for all", async () => {
    const exposition = protobuf(family("m", "counter", 2), family("push_time_seconds", "gauge", 100));
    const { address, asked } = await listen({ "/api/v1/metrics": listing("COUNTER", "100"), "/metrics": exposition });
    const contents = await readGroups(address, new Set(["a", "gone"]), OPTIONS);
    expect(asked).toEqual(["/api/v1/group?path=/metrics/job/a", "/api/v1/metrics", "/metrics"]);
    expect([...contents.keys()]).toEqual(["a"]);
    expect(contents.get("a")).toMatchObject({ pushTime: 100, families: [{ name: "m", metrics: [{ value: 2 }] }] });
  });

  test("does not ask for the exposition where JSON tells all", async () => {
    const { address, asked } = await listen({ "/api/v1/metrics": listing("GAUGE", "100") });
    const contents = await readGroups(address, new Set(["a"]), OPTIONS);
    expect(asked.slice(1)).toEqual(["/api/v1/metrics"]);
    expect(contents.get("a")).toMatchObject({ incomplete: false, families: [{ metrics: [{ value: 1 }] }] });
  });

  test("reads a group again that is pushed to between listing and exposition", async () => {
    let listings = 0;
    const { address } = await listen({
      "/api/v1/metrics": (response, request) => listing("COUNTER", String(++listings))(response, request),
      "/metrics": protobuf(family("m", "counter", 2), family("push_time_seconds", "gauge", 2)),
    });
    const contents = await readGroups(address, new Set(["a"]), OPTIONS);
    expect(listings).toBe(2);
    expect(contents.get("a")).toMatchObject({ pushTime: 2, families: [{ metrics: [{ value: 2 }] }] });
  });

  test("takes a group that is never at rest as the listing shows it", async () => {
    let listings = 0;
    const { address } = await listen({
      "/api/v1/metrics": (response, request) => listing("COUNTER", String(++listings), "7")(response, request),
      "/metrics": protobuf(family("m", "counter", 2), family("push_time_seconds", "gauge", 0.5)),
    });
    const contents = await readGroups(address, new Set(["a"]), OPTIONS);
    expect(listings).toBe(3);
    expect(contents.get("a")).toMatchObject({ pushTime: 3, families: [{ metrics: [{ value: 7 }] }] });
  });

  test("asks a member that knows how for each group, and for nothing else", async () => {
    const { address, asked } = await listen({
      "/api/v1/group": (response, request) => {
        if (request.url?.endsWith("/gone")) {
          response
            .writeHead(404, { "content-type": "application/json" })
            .end('{"status":"error","errorType":"not_found"}');
          return;
        }
        const times = [family("push_time_seconds", "gauge", 100.25), family("push_failure_time_seconds", "gauge", 5)];
        protobuf(...times, family("m", "counter", 2, 100_250), family("old", "gauge", 3, 99_000))(response, request);
      },
    });
    const contents = await readGroups(address, new Set(["gone", "a", "b"]), OPTIONS);
    expect(asked.toSorted()).toEqual(["a", "b", "gone"].map((job) => `/api/v1/group?path=/metrics/job/${job}`));
    expect([...contents.keys()].sort()).toEqual(["a", "b"]);
    expect(contents.get("a")).toMatchObject({
      pushTime: 100.25,
      pushFailureTime: 5,
      incomplete: false,
      families: [
        { name: "m", pushedAt: 100.25, metrics: [{ value: 2, timestampMs: undefined }] },
        { name: "old", pushedAt: 99 },
      ],
    });
  });

  test("asks for many groups at once, and for groups whose path depends on flags", async () => {
    const { address, asked } = await listen({ "/api/v1/metrics": listing("GAUGE", "100") });
    await readGroups(address, new Set(Array.from({ length: 257 }, (_, i) => `job_${i}`)), OPTIONS);
    await readGroups(address, new Set(["a\xffU__x\xff1"]), OPTIONS);
    expect(asked).toEqual(["/api/v1/metrics", "/api/v1/metrics"]);
  });

  test.each<[string, Record<string, Answer>]>([
    ["a listing that breaks off", { "/api/v1/metrics": json('{"status":"success","data":[') }],
    [
      "an exposition that breaks off",
      {
        "/api/v1/metrics": listing("COUNTER", "100"),
        "/metrics": (response) => {
          response.writeHead(200, { "content-type": PROTOBUF, "content-length": 100 }).write("\x05");
          setTimeout(() => response.destroy(), 10);
        },
      },
    ],
    [
      "a group that is no protobuf",
      { "/api/v1/group": (response) => response.writeHead(200, { "content-type": PROTOBUF }).end("<html>") },
    ],
  ])("rejects for %s", async (_what, answers) => {
    const { address } = await listen(answers);
    const error = await readGroups(address, new Set(["a"]), OPTIONS).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MemberRequestError);
  });

  test.each<[string, Answer]>([
    ["answers 500", (response) => response.writeHead(500).end("inconsistent")],
    ["has another format", (response) => response.writeHead(200, { "content-type": "text/plain" }).end("m 1\n")],
    ["is malformed", (response) => response.writeHead(200, { "content-type": PROTOBUF }).end("\x05abcde")],
  ])("is content with JSON where the exposition %s", async (_what, exposition) => {
    const { address } = await listen({ "/api/v1/metrics": listing("COUNTER", "100", "1e3"), "/metrics": exposition });
    const contents = await readGroups(address, new Set(["a"]), OPTIONS);
    expect(contents.get("a")).toMatchObject({ incomplete: false, families: [{ metrics: [{ value: 1_000 }] }] });
  });

  test("asks for nothing when nothing is wanted", async () => {
    const { address, asked } = await listen({});
    expect((await readGroups(address, new Set(), OPTIONS)).size).toBe(0);
    expect(asked).toEqual([]);
  });
});
