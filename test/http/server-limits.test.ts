import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { HttpServerLimits } from "../../src/http/server.ts";
import type { HttpExchange } from "../../src/http/server-exchange.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";
import { begin, echo, RecordingReceiver, request, settle, TestServer } from "./http-fixture.ts";

/** Shorter than a step of the server's clock: the wait is given up at the next step. */
const AT_ONCE_MS = 1;
/** Longer than a wait of AT_ONCE_MS, or of 300 ms, can last. */
const LONG_MS = 700;

describe("HttpServer, limits of size", () => {
  test("takes a head of the greatest length, and 431 for a byte more", async () => {
    await using server = new TestServer(echo, { maxHeaderBytes: 1_000 });
    const head = (length: number) => {
      const rest = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
      return `${rest}${"x".repeat(length - rest.length)}\r\n\r\n`;
    };
    expect((await rawRequest(server.address, head(1_000))).status).toBe(200);
    const response = await rawRequest(server.address, head(1_001));
    expect(response.status).toBe(431);
    expect(server.refused).toEqual([431]);
    expect(response.text()).toContain("1000 bytes");
  });

  test("takes a body of the greatest length, and 413 for a byte more, without troubling the handler", async () => {
    let handled = 0;
    const count = (exchange: HttpExchange) => {
      handled++;
      echo(exchange);
    };
    await using server = new TestServer(count, { maxBodyBytes: 100 });
    expect((await rawRequest(server.address, request("PUT", "/", "x".repeat(100)))).status).toBe(200);
    const response = await rawRequest(server.address, request("PUT", "/", "x".repeat(101)));
    expect(response.status).toBe(413);
    expect(response.text()).toContain("100 bytes");
    expect(handled).toBe(1);
  });

  test("answers 413 before a client that waits for 100 Continue has sent a byte", async () => {
    await using server = new TestServer(echo, { maxBodyBytes: 100 });
    const head = request("PUT", "/", undefined, "Content-Length: 101", "Expect: 100-continue");
    expect(await rawRequest(server.address, head)).toMatchObject({ status: 413, interim: [] });
  });

  test("answers 413 when the chunks of a body become too many, and gives the body up", async () => {
    const receiver = new RecordingReceiver();
    await using server = new TestServer((exchange) => exchange.receiveBody(receiver), { maxBodyBytes: 100 });
    const text = `${request("PUT", "/", undefined, "Transfer-Encoding: chunked")}${`32\r\n${"x".repeat(50)}\r\n`.repeat(3)}`;
    expect((await rawRequest(server.address, text)).status).toBe(413);
    expect(receiver.endings).toEqual(["abort: Request body too large: more than 100 bytes"]);
  });

  test("takes chunks up to the limit", async () => {
    await using server = new TestServer(echo, { maxBodyBytes: 100 });
    const text = `${request("PUT", "/", undefined, "Transfer-Encoding: chunked")}${`32\r\n${"x".repeat(50)}\r\n`.repeat(2)}0\r\n\r\n`;
    expect((await rawRequest(server.address, text)).status).toBe(200);
  });

  test("goes by new limits from the next request on", async () => {
    const limits: HttpServerLimits = {
      maxHeaderBytes: 65_536,
      maxBodyBytes: 10,
      maxConnections: 10,
      headerTimeoutMs: 60_000,
      bodyIdleTimeoutMs: 60_000,
      keepAliveTimeoutMs: 60_000,
    };
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", "x".repeat(11)));
    expect((await client.readResponse()).status).toBe(200);
    server.http.setLimits(limits);
    await client.write(request("PUT", "/", "x".repeat(11)));
    expect((await client.readResponse()).status).toBe(413);
  });
});

describe("HttpServer, limits of time", () => {
  test.concurrent("answers 408 to a head that does not come to its end, however busily it is sent", async () => {
    await using server = new TestServer(echo, { headerTimeoutMs: 300 });
    await using client = await RawConnection.open(server.address);
    await client.write("GET / HTTP/1.1\r\nHost: a\r\nX: ");
    const dribble = setInterval(() => void client.write("x"), 20);
    try {
      const response = await client.readResponse();
      expect(response.status).toBe(408);
      expect(response.header("connection")).toBe("close");
    } finally {
      clearInterval(dribble);
    }
    expect(await client.ending()).toBe("closed");
  });

  test.concurrent("closes an idle connection without a word and without a reset, before and after a request", async () => {
    await using server = new TestServer(echo, { keepAliveTimeoutMs: AT_ONCE_MS });
    await using silent = await RawConnection.open(server.address);
    expect(await silent.ending()).toBe("closed");
    expect(await silent.readToEnd()).toHaveLength(0);
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/"));
    expect((await client.readResponse()).status).toBe(200);
    expect(await client.ending()).toBe("closed");
  });

  test.concurrent("takes empty lines between requests for idleness, not for a head", async () => {
    await using server = new TestServer(echo, { headerTimeoutMs: AT_ONCE_MS });
    await using client = await RawConnection.open(server.address);
    await client.write("\r\n");
    await Bun.sleep(LONG_MS);
    await client.write(request("GET", "/"));
    expect((await client.readResponse()).status).toBe(200);
  });

  test.concurrent.each<[string, string]>([
    ["a body of a known length", request("PUT", "/", undefined, "Content-Length: 10")],
    ["chunks", `${request("PUT", "/", undefined, "Transfer-Encoding: chunked")}a\r\n`],
  ])("answers 408 when nothing comes of %s for too long, and gives it up", async (_what, text) => {
    const receiver = new RecordingReceiver();
    await using server = new TestServer((exchange) => exchange.receiveBody(receiver), { bodyIdleTimeoutMs: 300 });
    await using client = await RawConnection.open(server.address);
    await client.write(`${text}01234`);
    const response = await client.readResponse();
    expect(response.status).toBe(408);
    expect(response.header("connection")).toBe("close");
    expect(receiver.endings).toEqual(["abort: Request body not received in time"]);
  });

  test.concurrent("does not hurry a body that is slow but keeps coming", async () => {
    await using server = new TestServer(echo, { bodyIdleTimeoutMs: 4 * LONG_MS });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 10"));
    for (let i = 0; i < 10; i++) {
      await Bun.sleep(LONG_MS / 2);
      await client.write("x");
    }
    expect((await client.readResponse()).text()).toBe("PUT / xxxxxxxxxx");
  });

  test.concurrent("lets the handler take its time: before it reads the body, while it holds it back, and before it answers", async () => {
    await using server = new TestServer(
      async (exchange) => {
        await Bun.sleep(LONG_MS);
        exchange.receiveBody(
          new RecordingReceiver(async (receiver) => {
            await Bun.sleep(LONG_MS);
            exchange.respondText(200, receiver.endings.join());
          }),
        );
        exchange.pauseBody();
        await Bun.sleep(LONG_MS);
        exchange.resumeBody();
      },
      { bodyIdleTimeoutMs: 300 },
    );
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 4"));
    const response = client.readResponse();
    await client.write("body");
    expect((await response).text()).toBe("end");
  });

  test("lets the handler take its time within an answer, also when the client was slow to take its beginning", async () => {
    const length = 20_000_000;
    let isKeptBack = false;
    await using server = new TestServer(
      (exchange) => {
        begin(exchange, { length: length + 3 });
        exchange.onDrain = () => {
          setTimeout(() => {
            exchange.write(Buffer.from("end"));
            exchange.end();
          }, 2 * LONG_MS);
        };
        isKeptBack = !exchange.write(Buffer.alloc(length, "x"));
      },
      { bodyIdleTimeoutMs: LONG_MS },
    );
    const socket = connect({ host: "127.0.0.1", port: server.http.port });
    let tail = "";
    socket.on("data", (data: Buffer) => {
      tail = (tail + data.toString("latin1", Math.max(0, data.length - 3))).slice(-3);
    });
    try {
      const failed = new Promise<never>((_, reject) => socket.once("error", reject));
      socket.write(request("GET", "/"));
      await Promise.race([failed, waitFor("the end of the answer", () => tail === "end")]);
      expect(isKeptBack).toBe(true);
    } finally {
      socket.destroy();
    }
  });

  test.each<[string, (exchange: HttpExchange) => void]>([
    ["begun", beginLongAnswer],
    ["begun later", (exchange) => void settle().then(() => beginLongAnswer(exchange))],
    ["ended", (exchange) => exchange.respond(200, [], Buffer.alloc(50_000_000))],
  ])("cuts off a client that does not take an answer that the handler has %s", async (_what, handle) => {
    await using server = new TestServer(handle, { bodyIdleTimeoutMs: 300 });
    const socket = connect({ host: "127.0.0.1", port: server.http.port });
    try {
      socket.pause();
      socket.on("error", () => {});
      socket.write(request("GET", "/a"));
      await waitFor("the connection", () => server.http.connectionCount === 1);
      await waitFor("the end of the connection", () => server.http.connectionCount === 0);
    } finally {
      socket.destroy();
    }
  });

  test.concurrent("does not wait for ever for the rest of a body that it reads away, but leaves the answer readable", async () => {
    await using server = new TestServer((exchange) => exchange.respondText(403, "no\n"), { bodyIdleTimeoutMs: 300 });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 10"));
    expect(await client.ending()).toBe("closed");
    expect((await client.readResponse()).text()).toBe("no\n");
  });

  test.concurrent("ends a connection that it has closed for its part and that its client keeps open", async () => {
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    await client.write("garbage\r\n\r\n");
    expect((await client.readResponse()).status).toBe(400);
    expect(await client.ending()).toBe("closed");
    await waitFor("the end of the connection", () => server.http.connectionCount === 0);
  });
});

function beginLongAnswer(exchange: HttpExchange): void {
  begin(exchange, "unknown-length");
  exchange.write(Buffer.alloc(50_000_000));
}

describe("HttpServer, the limit of connections", () => {
  test("answers 503 to one too many, and serves again when there is room", async () => {
    await using server = new TestServer(echo, { maxConnections: 2 });
    await using first = await RawConnection.open(server.address);
    await using second = await RawConnection.open(server.address);
    await waitFor("two connections", () => server.http.connectionCount === 2);
    await using third = await RawConnection.open(server.address);
    await third.write(request("PUT", "/", "never read"));
    const response = await third.readResponse();
    expect(response.status).toBe(503);
    expect(server.refused).toEqual([503]);
    expect(response.header("retry-after")).toBe("1");
    expect(response.header("connection")).toBe("close");
    expect(await third.ending()).toBe("closed");
    third.end();
    await second.write(request("GET", "/"));
    expect((await second.readResponse()).status).toBe(200);
    first.abort();
    await waitFor("room", () => server.http.connectionCount === 1);
    expect((await rawRequest(server.address, request("GET", "/"))).status).toBe(200);
  });

  test.concurrent("keeps no more than a few of those that it turns away, however long they would stay", async () => {
    await using server = new TestServer(echo, { maxConnections: 1 });
    const clients: RawConnection[] = [];
    try {
      for (let i = 0; i < 200; i++) clients.push(await RawConnection.open(server.address));
      await waitFor("the others to go", () => server.http.connectionCount === 1);
      const endings = await Promise.all(clients.slice(1).map((client) => client.ending()));
      expect(endings.filter((ending) => ending === "closed").length).toBeGreaterThanOrEqual(64);
      expect(endings.filter((ending) => ending === "reset").length).toBeGreaterThan(0);
    } finally {
      for (const client of clients) await client[Symbol.asyncDispose]();
    }
  });
});
