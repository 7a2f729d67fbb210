import { describe, expect, test } from "bun:test";
import type { HttpExchange } from "../../src/http/server-exchange.ts";
import { RawConnection } from "../support/raw-http.ts";
import { runCommand } from "../support/run-command.ts";
import { waitFor } from "../support/wait-for.ts";
import { begin, echo, RecordingReceiver, request, settle, TestServer } from "./http-fixture.ts";

const NEVER_MS = 60_000;

describe("HttpServer.stop()", () => {
  test("takes no more connections and closes idle ones at once, whether they were used or not", async () => {
    await using server = new TestServer(echo);
    await using unused = await RawConnection.open(server.address);
    await using used = await RawConnection.open(server.address);
    await used.write(request("GET", "/"));
    await used.readResponse();
    await waitFor("both", () => server.http.connectionCount === 2);
    await server.http.stop(NEVER_MS);
    expect([await unused.ending(), await used.ending()]).toEqual(["closed", "closed"]);
    expect(RawConnection.open(server.address)).rejects.toThrow();
  });

  test("lets a request that is under way finish, and tells its client that the connection closes", async () => {
    const exchanges: HttpExchange[] = [];
    await using server = new TestServer((exchange) => exchanges.push(exchange));
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 4"));
    const exchange = await waitFor("the request", () => exchanges[0]);
    const stopped = server.http.stop(NEVER_MS);
    echo(exchange);
    await client.write("body");
    const response = await client.readResponse();
    expect(response.text()).toBe("PUT / body");
    expect(response.header("connection")).toBe("close");
    client.end();
    await stopped;
    expect(server.http.connectionCount).toBe(0);
  });

  test("closes behind an answer that had begun, and promised nothing, before it was called", async () => {
    const exchanges: HttpExchange[] = [];
    await using server = new TestServer((exchange) => {
      exchanges.push(exchange);
      begin(exchange, { length: 10 });
      exchange.write(Buffer.from("begun"));
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/"));
    const exchange = await waitFor("the request", () => exchanges[0]);
    const stopped = server.http.stop(NEVER_MS);
    exchange.write(Buffer.from("ended"));
    exchange.end();
    await stopped;
    expect((await client.readResponse()).text()).toBe("begunended");
    expect(await client.ending()).toBe("closed");
  });

  test("lets a head that is under way come to its end", async () => {
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    await client.write("GET / HTTP/1.1\r\n");
    await waitFor("the connection", () => server.http.connectionCount === 1);
    await settle();
    const stopped = server.http.stop(NEVER_MS);
    await client.write("Host: a\r\n\r\n");
    const response = await client.readResponse();
    expect(response.status).toBe(200);
    expect(response.header("connection")).toBe("close");
    client.end();
    await stopped;
  });

  test("answers the request at hand of a client that has sent more, and leaves it an answer that it can read", async () => {
    const exchanges: HttpExchange[] = [];
    await using server = new TestServer((exchange) => exchanges.push(exchange));
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/1") + request("GET", "/2"));
    const exchange = await waitFor("the request", () => exchanges[0]);
    const stopped = server.http.stop(NEVER_MS);
    await client.write(request("GET", "/3"));
    exchange.respondText(200, "first\n");
    const response = await client.readResponse();
    expect(response.text()).toBe("first\n");
    expect(response.header("connection")).toBe("close");
    expect(await client.ending()).toBe("closed");
    client.end();
    await stopped;
    expect(exchanges).toHaveLength(1);
  });

  test("cuts off what is still running when its patience ends", async () => {
    const receiver = new RecordingReceiver();
    let closed = 0;
    await using server = new TestServer((exchange) => {
      exchange.onClose = () => closed++;
      exchange.receiveBody(receiver);
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 4"));
    await waitFor("the connection", () => server.http.connectionCount === 1);
    await settle();
    await server.http.stop(50);
    expect(await client.ending()).toBe("reset");
    expect(receiver.endings).toHaveLength(1);
    expect(closed).toBe(1);
  });

  test("can be called again, with less patience", async () => {
    await using server = new TestServer(() => {});
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/"));
    await waitFor("the connection", () => server.http.connectionCount === 1);
    await settle();
    const first = server.http.stop(NEVER_MS);
    await server.http.stop(0);
    await first;
    await server.http.stop(NEVER_MS);
    expect(await client.ending()).toBe("reset");
  });

  test("leaves nothing behind that keeps the process alive", async () => {
    const program = `
      import { HttpServer } from ${JSON.stringify(`${import.meta.dir}/../../src/http/server.ts`)};
      const limits = { maxHeaderBytes: 1000, maxBodyBytes: 0, maxConnections: 9, headerTimeoutMs: 1, bodyIdleTimeoutMs: 1, keepAliveTimeoutMs: 1 };
      const options = { hostname: "127.0.0.1", port: 0, limits, handle: () => {}, onError: console.error, onRefused: () => {} };
      await new HttpServer(options).stop(${NEVER_MS});
      console.log("stopped");
    `;
    // Rejects when the process has to be killed.
    expect(await runCommand([process.execPath, "-e", program], { timeoutMs: 20_000 })).toBe("stopped\n");
  });
});
