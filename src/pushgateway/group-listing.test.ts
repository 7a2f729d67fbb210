import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type ServerResponse } from "node:http";
import { WorkSlices } from "../work-slices.ts";
import { listGroups } from "./group-listing.ts";
import { MemberRequestError } from "./member-request.ts";

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function listen(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => answer(response));
  resources.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("Cannot learn the port: not a TCP server");
  return `127.0.0.1:${address.port}`;
}

const JSON_TYPE = { "content-type": "application/json" };
const OPTIONS = { timeoutMs: 10_000, slices: new WorkSlices() };

function listing(groups: number): string {
  const texts = Array.from({ length: groups }, (_, i) => {
    const time = `{"time_stamp":"2026-11-23T10:30:58Z","type":"GAUGE","metrics":[{"labels":{},"value":"${i}"}]}`;
    return `{"labels":{"job":"job_${i}"},"last_push_successful":true,"m":${time},"push_time_seconds":${time}}`;
  });
  return `{"status":"success","data":[${texts.join(",")}]}`;
}

describe("listGroups()", () => {
  test("visits each group, and counts them", async () => {
    const text = listing(1_000);
    const address = await listen((response) => response.writeHead(200, JSON_TYPE).end(text));
    const times = new Map<string, number>();
    const summary = await listGroups(address, OPTIONS, ({ id, pushTime }) => void times.set(id, pushTime));
    expect(summary).toMatchObject({ groups: 1_000, bytes: text.length });
    expect(summary.clock?.headAt).toBeLessThanOrEqual(Date.now());
    expect(times.size).toBe(1_000);
    expect(times.get("job_999")).toBe(999);
  });

  test("lets other work have its turn while it reads many groups", async () => {
    const text = listing(60_000);
    const address = await listen((response) => response.writeHead(200, JSON_TYPE).end(text));
    let turns = 0;
    let pieces = 0;
    const timer = setInterval(() => turns++, 1);
    resources.defer(() => clearInterval(timer));
    let last = 0;
    await listGroups(address, OPTIONS, () => {
      if (turns !== last) pieces++;
      last = turns;
    });
    expect(pieces).toBeGreaterThan(10);
  });

  test("waits for a visitor that asks for it", async () => {
    const address = await listen((response) => response.writeHead(200, JSON_TYPE).end(listing(100)));
    let visiting = 0;
    let visited = 0;
    await listGroups(address, OPTIONS, async () => {
      expect(++visiting).toBe(1);
      await Bun.sleep(0);
      visiting--;
      visited++;
    });
    expect(visited).toBe(100);
  });

  test("ends with the error of its visitor", async () => {
    const address = await listen((response) => response.writeHead(200, JSON_TYPE).end(listing(100)));
    const fail = () => {
      throw new Error("enough");
    };
    await expect(listGroups(address, OPTIONS, fail)).rejects.toThrow("enough");
    await expect(listGroups(address, OPTIONS, async () => fail())).rejects.toThrow("enough");
  });

  const whole = listing(10);
  test.each<[string, string, string, (response: ServerResponse) => void]>([
    [
      "a listing that ends early",
      "malformed",
      "does not list its groups: its listing ends early",
      (response) => response.writeHead(200, JSON_TYPE).end(whole.slice(0, -2)),
    ],
    [
      "a listing that ends between groups",
      "malformed",
      "ends early",
      (response) => response.writeHead(200, JSON_TYPE).end(whole.slice(0, whole.lastIndexOf(',{"labels"'))),
    ],
    [
      "a connection that breaks",
      "cut",
      "broke off its answer",
      (response) => {
        response.writeHead(200, { ...JSON_TYPE, "content-length": whole.length }).write(whole.slice(0, -2));
        setTimeout(() => response.destroy(), 10);
      },
    ],
    [
      "a group that is no JSON",
      "malformed",
      "its listing is not JSON",
      (response) => response.writeHead(200, JSON_TYPE).end(whole.replace('"GAUGE"', "GAUGE")),
    ],
    ["nothing", "malformed", "its listing ends early", (response) => response.writeHead(200, JSON_TYPE).end()],
    [
      "a page",
      "malformed",
      "its answer is text/html, not JSON",
      (response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"),
    ],
    [
      "credentials wanted",
      "status",
      "answers 401, which asks for credentials",
      (response) => response.writeHead(401).end("Unauthorized\n"),
    ],
    [
      "no such path",
      "status",
      "answers 404: 404 page not found",
      (response) => response.writeHead(404).end("404 page not found\n"),
    ],
    ["an error", "status", "answers 500: boom", (response) => response.writeHead(500, JSON_TYPE).end("boom")],
  ])("rejects for %s", async (_what, kind, message, answer) => {
    const address = await listen(answer);
    const error = await listGroups(address, OPTIONS, () => {}).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MemberRequestError);
    const { kind: seen, message: text } = error as MemberRequestError;
    expect(seen as string).toBe(kind);
    expect(text).toStartWith(`Cannot GET /api/v1/metrics at ${address}: it `);
    expect(text).toContain(message);
  });
});
