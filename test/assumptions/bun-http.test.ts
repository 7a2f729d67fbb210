import { afterAll, describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { rawRequest } from "../support/raw-http.ts";

// What docs/adr/0004-raw-sockets.md rests on. A test that fails after an upgrade of Bun is a reason to read it again.

const running = new AsyncDisposableStack();
afterAll(() => running.disposeAsync());

describe("Bun.serve", () => {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => new Response(request.url, { status: 307, headers: { Location: "http://owner.test/" } }),
  });
  running.defer(() => server.stop(true));
  const address = `127.0.0.1:${server.port}`;

  test.each([
    ["/metrics/job/a/../b", "/metrics/job/b"],
    ["/metrics/job/%2E%2e/b", "/metrics/b"],
    ["/metrics/job/a\\b", "/metrics/job/a/b"],
  ])("hands on the target %p as %p", async (target, seen) => {
    const response = await rawRequest(address, `PUT ${target} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n`);
    expect(response.text()).toBe(`http://h${seen}`);
  });

  test("hands on two bytes that are not UTF-8 as the same character", async () => {
    const targets = ["\xe9", "\xe8"].map((byte) => `PUT /metrics/job/${byte} HTTP/1.1\r\nHost: h\r\n\r\n`);
    const responses = await Promise.all(targets.map((text) => rawRequest(address, Buffer.from(text, "latin1"))));
    expect(responses.map((response) => response.text())).toEqual(Array(2).fill("http://h/metrics/job/%EF%BF%BD"));
  });

  test("asks for the body before the handler can send the client elsewhere", async () => {
    const head = "PUT /metrics/job/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    const { interim, status } = await rawRequest(address, head);
    expect({ interim, status }).toEqual({ interim: [100], status: 307 });
  });
});

test("node:http on Bun refuses a target with bytes beyond ASCII, which Pushgateway takes", async () => {
  const server = createServer((_, response) => response.end());
  running.defer(() => {
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { status } = await rawRequest(`127.0.0.1:${port}`, "PUT /metrics/job/é HTTP/1.1\r\nHost: h\r\n\r\n");
  expect(status).toBe(400);
});

describe("fetch", () => {
  test("sends a target that begins with two slashes with one", async () => {
    await using upstream = new Upstream();
    await fetch(`http://${upstream.address}//metrics/job/a`, { method: "PUT" });
    expect(upstream.requestLines).toEqual(["PUT /metrics/job/a HTTP/1.1"]);
  });

  test("sends a PUT again by itself when a kept connection is lost under it", async () => {
    await using upstream = new Upstream();
    const url = `http://${upstream.address}/metrics/job/a`;
    await fetch(url, { method: "PUT" });
    upstream.dropNext = true;
    const response = await fetch(url, { method: "PUT" });
    expect(response.status).toBe(200);
    expect(upstream.requestLines).toHaveLength(3);
  });

  test("keeps no more than 64 connections, so that turns to 70 upstreams never find one", async () => {
    await using stack = new AsyncDisposableStack();
    const upstreams = Array.from({ length: 70 }, () => stack.use(new Upstream()));
    for (let round = 0; round < 3; round++) {
      for (const { address } of upstreams) await (await fetch(`http://${address}/`, { method: "PUT" })).text();
    }
    expect(upstreams.map(({ connections }) => connections)).toEqual(Array(70).fill(3));
  });
});

/** Answers every request that comes as a whole with 200, over kept connections. */
class Upstream implements AsyncDisposable {
  readonly requestLines: string[] = [];
  connections = 0;
  /** Reset the connection that brings the next request instead of answering. */
  dropNext = false;
  readonly #listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: () => {
        this.connections++;
      },
      data: (socket, chunk) => {
        this.requestLines.push(chunk.toString("latin1").split("\r\n")[0] ?? "");
        if (this.dropNext) {
          this.dropNext = false;
          socket.terminate();
        } else {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
      },
    },
  });

  get address(): string {
    return `127.0.0.1:${this.#listener.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.stop(true);
  }
}
