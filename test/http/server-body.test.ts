import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import type { HttpExchange } from "../../src/http/server-exchange.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";
import { begin, echo, RecordingReceiver, request, settle, TestServer } from "./http-fixture.ts";

const MIB = 1_048_576;

/** Receives each body, does nothing with it, and lets the test look. */
function collecting(): { handle: (exchange: HttpExchange) => void; receivers: RecordingReceiver[] } {
  const receivers: RecordingReceiver[] = [];
  return {
    receivers,
    handle: (exchange) => {
      const receiver = new RecordingReceiver();
      receivers.push(receiver);
      exchange.receiveBody(receiver);
    },
  };
}

describe("HttpServer, Expect: 100-continue", () => {
  const head = request("PUT", "/a", undefined, "Content-Length: 5", "Expect: 100-continue");

  test("tells the client to go on once the handler wants the body", async () => {
    const exchanges: HttpExchange[] = [];
    await using server = new TestServer((exchange) => exchanges.push(exchange));
    await using client = await RawConnection.open(server.address);
    await client.write(head);
    echo(await waitFor("the request", () => exchanges[0]));
    await client.write("hello");
    const response = await client.readResponse();
    expect(response).toMatchObject({ status: 200, interim: [100] });
    expect(response.text()).toBe("PUT /a hello");
    await client.write(request("PUT", "/b", "x"));
    echo(await waitFor("the next request", () => exchanges[1]));
    expect(await client.readResponse()).toMatchObject({ status: 200, interim: [] });
  });

  test("redirects without asking for the body, and closes, since it may come or not", async () => {
    await using server = new TestServer((exchange) => exchange.respond(307, ["Location", "http://b/a"], ""));
    await using client = await RawConnection.open(server.address);
    await client.write(head);
    const response = await client.readResponse();
    expect(response).toMatchObject({ status: 307, interim: [] });
    expect(response.header("connection")).toBe("close");
    expect(await client.ending()).toBe("closed");
  });

  test.each<[string, string]>([
    ["the body came with the head", `${head}hello`],
    ["there is no body to wait for", request("PUT", "/a", undefined, "Expect: 100-continue")],
  ])("says nothing when %s", async (_what, text) => {
    await using server = new TestServer(echo);
    const response = await rawRequest(server.address, text);
    expect(response).toMatchObject({ status: 200, interim: [] });
  });

  test("says nothing within an answer", async () => {
    await using server = new TestServer((exchange) => {
      begin(exchange, { length: 2 });
      exchange.write(Buffer.from("a"));
      exchange.receiveBody(new RecordingReceiver());
      exchange.write(Buffer.from("b"));
      exchange.end();
    });
    const response = await rawRequest(server.address, head);
    expect(response.text()).toBe("ab");
  });
});

describe("HttpServer, answering before the body has been read", () => {
  test("reads a short body away and serves the next request", async () => {
    await using server = new TestServer((exchange) => exchange.respondText(403, `${exchange.head.target}\n`));
    await using client = await RawConnection.open(server.address);
    const body = "PUT /smuggled HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000);
    for (const target of ["/1", "/2"]) {
      await client.write(request("PUT", target, body));
      const response = await client.readResponse();
      expect(response.text()).toBe(`${target}\n`);
      expect(response.header("connection")).toBeUndefined();
    }
  });

  test("reads it away when it comes only after the answer, too", async () => {
    await using server = new TestServer((exchange) => exchange.respondText(200, `${exchange.head.target}\n`));
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/1", undefined, "Content-Length: 10"));
    expect((await client.readResponse()).text()).toBe("/1\n");
    for (const piece of ["01234", "56789", request("GET", "/2")]) {
      await client.write(piece);
      await settle();
    }
    expect((await client.readResponse()).text()).toBe("/2\n");
  });

  test.each<[string, string, string]>([
    ["a long body", `Content-Length: ${20 * MIB}`, "x".repeat(MIB)],
    ["a body in chunks", "Transfer-Encoding: chunked", `100000\r\n${"x".repeat(MIB)}\r\n`],
  ])("closes behind the answer to %s, which a client that is still sending can read", async (_what, line, piece) => {
    await using server = new TestServer((exchange) => exchange.respondText(403, "no\n"));
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, line));
    for (let i = 0; i < 15; i++) await client.write(piece);
    const response = await client.readResponse();
    expect(response.status).toBe(403);
    expect(response.header("connection")).toBe("close");
    expect(response.text()).toBe("no\n");
    expect(await client.ending()).toBe("closed");
  });

  test("gives up the body of a handler that answers while it receives it", async () => {
    const receiver = new RecordingReceiver();
    await using server = new TestServer((exchange) => {
      exchange.receiveBody(receiver);
      exchange.respondText(400, "enough\n");
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 10"));
    expect((await client.readResponse()).status).toBe(400);
    expect(receiver.endings).toEqual(["abort: The request was answered before its body was complete"]);
  });
});

describe("HttpServer, an exchange that is over", () => {
  test("cannot touch the one behind it", async () => {
    const exchanges: HttpExchange[] = [];
    const late = new RecordingReceiver();
    await using server = new TestServer((exchange) => {
      exchanges.push(exchange);
      if (exchanges.length === 1) exchange.respondText(200, "first\n");
      else echo(exchange);
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/1"));
    await client.readResponse();
    await client.write(request("PUT", "/2", undefined, "Content-Length: 4"));
    const [first] = await waitFor("the second request", () => exchanges.length === 2 && exchanges);
    first?.pauseBody();
    first?.abort();
    first?.receiveBody(late);
    await client.write("body");
    expect((await client.readResponse()).text()).toBe("PUT /2 body");
    expect(late.endings).toEqual(["abort: The exchange is over"]);
  });

  test("gives up at once a body that is asked for when the client is gone", async () => {
    const late = new RecordingReceiver();
    const exchanges: HttpExchange[] = [];
    await using server = new TestServer((exchange) => exchanges.push(exchange));
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 4"));
    await waitFor("the request", () => exchanges.length === 1);
    client.abort();
    await waitFor("the end of the connection", () => server.http.connectionCount === 0);
    exchanges[0]?.receiveBody(late);
    exchanges[0]?.respondText(200, "nobody hears this\n");
    expect(late.endings).toHaveLength(1);
    expect(late.endings[0]).toStartWith("abort: ");
  });
});

describe("HttpServer, clients that half-close", () => {
  test.each<[string, (exchange: HttpExchange) => void]>([
    ["at once", echo],
    ["later", (exchange) => void settle().then(() => echo(exchange))],
    ["before it reads the body", (exchange) => exchange.respondText(200, "PUT / body")],
    ["later, and without the body", (exchange) => void settle().then(() => exchange.respondText(200, "PUT / body"))],
  ])("get the answer of a handler that answers %s", async (_when, handle) => {
    await using server = new TestServer(handle);
    await using client = await RawConnection.open(server.address);
    void client.write(request("PUT", "/", "body"));
    client.end();
    expect((await client.readResponse()).text()).toBe("PUT / body");
    expect(await client.ending()).toBe("closed");
  });

  test("get the whole of a long answer that begins when they have half-closed", async () => {
    const body = Buffer.alloc(20 * MIB, "x");
    await using server = new TestServer((exchange) => void settle().then(() => exchange.respond(200, [], body)));
    await using client = await RawConnection.open(server.address);
    void client.write(request("GET", "/"));
    client.end();
    expect((await client.readResponse()).body.length).toBe(body.length);
  });

  test.each<[string, string]>([
    ["a body of a known length", `${request("PUT", "/", undefined, "Content-Length: 10")}01234`],
    ["a chunk", `${request("PUT", "/", undefined, "Transfer-Encoding: chunked")}a\r\n01234`],
    ["the last chunk", `${request("PUT", "/", undefined, "Transfer-Encoding: chunked")}5\r\n01234\r\n0\r\n`],
  ])("within %s are told 400, and the handler that the body is not whole", async (_what, text) => {
    const { handle, receivers } = collecting();
    await using server = new TestServer(handle);
    await using client = await RawConnection.open(server.address);
    void client.write(text);
    client.end();
    const response = await client.readResponse();
    expect(response.status).toBe(400);
    expect(await client.ending()).toBe("closed");
    await waitFor("the end of the connection", () => server.http.connectionCount === 0);
    expect(receivers[0]?.body.toString()).toBe("01234");
    expect(receivers[0]?.endings).toEqual(["abort: The client closed the connection before the body was complete"]);
  });

  test("within a body that a handler asks for only later, are told so too", async () => {
    const receiver = new RecordingReceiver();
    await using server = new TestServer((exchange) => void settle().then(() => exchange.receiveBody(receiver)));
    await using client = await RawConnection.open(server.address);
    void client.write(`${request("PUT", "/", undefined, "Content-Length: 10")}01234`);
    client.end();
    expect((await client.readResponse()).status).toBe(400);
    expect(receiver.endings).toHaveLength(1);
  });

  test("within a body that is being read away, lose the connection and nothing else", async () => {
    await using server = new TestServer((exchange) => exchange.respondText(200, "ok\n"));
    await using client = await RawConnection.open(server.address);
    void client.write(`${request("PUT", "/", undefined, "Content-Length: 10")}01234`);
    client.end();
    expect((await client.readResponse()).text()).toBe("ok\n");
    expect(await client.ending()).toBe("closed");
  });
});

describe("HttpServer, clients that crash", () => {
  test.each<[string, boolean]>([
    ["that is being received", false],
    ["that is held back", true],
  ])("within a body %s leave it aborted, once, and the exchange closed", async (_what, isPaused) => {
    const receiver = new RecordingReceiver();
    const closed: string[] = [];
    await using server = new TestServer((exchange) => {
      exchange.onClose = () => closed.push(exchange.head.target);
      exchange.receiveBody(receiver);
      if (isPaused) exchange.pauseBody();
    });
    await using client = await RawConnection.open(server.address);
    await client.write(`${request("PUT", "/a", undefined, "Content-Length: 10")}01234`);
    await waitFor("the request", () => server.http.connectionCount === 1 && (isPaused || receiver.chunks.length > 0));
    await settle();
    client.abort();
    await waitFor("the end of the connection", () => server.http.connectionCount === 0);
    expect(receiver.endings).toEqual(["abort: The client closed the connection before the body was complete"]);
    expect(closed).toEqual(["/a"]);
  });

  test("after the body is whole leave it whole, and the exchange closed", async () => {
    const receiver = new RecordingReceiver();
    let closed = 0;
    let answer = (): void => {};
    await using server = new TestServer((exchange) => {
      exchange.onClose = () => closed++;
      answer = () => exchange.respondText(200, "late\n");
      exchange.receiveBody(receiver);
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", "body"));
    await waitFor("the body", () => receiver.endings.length > 0);
    client.abort();
    await waitFor("the end of the connection", () => server.http.connectionCount === 0);
    answer();
    expect(receiver.endings).toEqual(["end"]);
    expect(closed).toBe(1);
  });

  test("within the answer close the exchange", async () => {
    let closed = 0;
    await using server = new TestServer((exchange) => {
      exchange.onClose = () => closed++;
      begin(exchange, "unknown-length");
      exchange.write(Buffer.from("begun"));
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/"));
    await settle();
    client.abort();
    await waitFor("the end of the connection", () => server.http.connectionCount === 0);
    expect(closed).toBe(1);
  });

  test("do not close an exchange that its handler aborts", async () => {
    let closed = 0;
    const receiver = new RecordingReceiver();
    await using server = new TestServer((exchange) => {
      exchange.onClose = () => closed++;
      exchange.receiveBody(receiver);
      begin(exchange, { length: 10 });
      exchange.write(Buffer.from("begun"));
      exchange.abort();
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 10"));
    expect(await client.ending()).toBe("reset");
    await waitFor("the end of the connection", () => server.http.connectionCount === 0);
    expect(closed).toBe(0);
    expect(receiver.endings).toHaveLength(1);
  });
});

describe("HttpServer, long bodies", () => {
  const length = 50 * MIB;

  test("holds a client back while the handler pauses, and hands on every byte in the end", async () => {
    const sent = randomBytes(MIB);
    const hash = createHash("sha256");
    let received = 0;
    let paused: HttpExchange | undefined;
    await using server = new TestServer((exchange) => {
      exchange.receiveBody({
        onData: (chunk) => {
          received += chunk.length;
          hash.update(chunk);
          exchange.pauseBody();
          paused = exchange;
        },
        onEnd: () => exchange.respondText(200, hash.digest("hex")),
        onAbort: () => {},
      });
    });
    const socket = connect({ host: "127.0.0.1", port: server.http.port });
    try {
      socket.write(request("PUT", "/", undefined, `Content-Length: ${length}`));
      for (let i = 0; i < 50; i++) socket.write(sent);
      await waitFor("the first piece", () => paused !== undefined);
      // Whatever the kernel keeps for a connection, it is far from all of this.
      const before = await waitUntilSteady(() => socket.writableLength);
      expect(before).toBeGreaterThan(20 * MIB);
      expect(received).toBeLessThan(2 * MIB);
      let largest = 0;
      while (received < length) {
        const last = received;
        paused?.resumeBody();
        await waitFor("more of the body", () => received > last, { intervalMs: 1 });
        largest = Math.max(largest, received - last);
      }
      expect(largest).toBeLessThan(2 * MIB);
      paused?.resumeBody();
      const [answer] = await once(socket, "data");
      const expected = createHash("sha256");
      for (let i = 0; i < 50; i++) expected.update(sent);
      expect(String(answer)).toEndWith(expected.digest("hex"));
    } finally {
      socket.destroy();
    }
  }, 20_000);

  test.each<[string, string]>([
    ["the body before the handler asks for it", request("PUT", "/", undefined, `Content-Length: ${length}`)],
    ["what lies behind a request that has not been answered", request("GET", "/")],
  ])("keeps no more than a piece or two of %s", async (_what, head) => {
    let handled = 0;
    await using server = new TestServer(() => handled++);
    const socket = connect({ host: "127.0.0.1", port: server.http.port });
    try {
      socket.on("error", () => {});
      socket.write(head);
      await waitFor("the request", () => handled === 1);
      for (let i = 0; i < 50; i++) socket.write(Buffer.alloc(MIB));
      expect(await waitUntilSteady(() => socket.writableLength)).toBeGreaterThan(20 * MIB);
    } finally {
      socket.destroy();
    }
  });

  test("sends to a slow reader no faster than it reads", async () => {
    const chunk = randomBytes(MIB / 4);
    let written = 0;
    let drains = 0;
    await using server = new TestServer((exchange) => {
      begin(exchange, { length });
      const send = () => {
        while (written < length) {
          written += chunk.length;
          if (!exchange.write(chunk)) return;
        }
        exchange.end();
      };
      exchange.onDrain = () => {
        drains++;
        send();
      };
      send();
    });
    const socket = connect({ host: "127.0.0.1", port: server.http.port });
    try {
      let received = 0;
      socket.pause();
      socket.on("data", (data: Buffer) => {
        received += data.length;
      });
      socket.write(request("GET", "/"));
      await waitFor("the answer", () => written > 0);
      expect(await waitUntilSteady(() => written)).toBeLessThan(20 * MIB);
      socket.resume();
      await waitFor("all of it", () => received >= length);
      expect(drains).toBeGreaterThan(0);
    } finally {
      socket.destroy();
    }
  }, 20_000);

  test("does not tell of a drain when nothing was kept back, though Bun does when reading goes on", async () => {
    let drains = 0;
    const exchanges: HttpExchange[] = [];
    await using server = new TestServer((exchange) => {
      exchanges.push(exchange);
      exchange.onDrain = () => drains++;
      begin(exchange, "unknown-length");
      exchange.receiveBody(new RecordingReceiver());
      exchange.pauseBody();
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 5"));
    const exchange = await waitFor("the request", () => exchanges[0]);
    await client.write("he");
    await settle();
    exchange.resumeBody();
    await client.write("llo");
    await settle();
    exchange.end();
    expect((await client.readResponse()).text()).toBe("");
    expect(drains).toBe(0);
  });

  test("hands a body of very many small chunks on in few pieces", async () => {
    const { handle, receivers } = collecting();
    await using server = new TestServer(handle);
    await using client = await RawConnection.open(server.address);
    const chunks = "1\r\nx\r\n".repeat(100_000);
    void client.write(`${request("PUT", "/", undefined, "Transfer-Encoding: chunked")}${chunks}0\r\n\r\n`);
    await waitFor("the body", () => receivers[0]?.endings.length === 1);
    expect(receivers[0]?.body.length).toBe(100_000);
    expect(receivers[0]?.chunks.length).toBeLessThan(1_000);
  });
});

/** Looks until ten looks in a row, some milliseconds apart, have seen the same number, and returns it. */
async function waitUntilSteady(look: () => number): Promise<number> {
  let last = look();
  let same = 0;
  return await waitFor("a steady number", () => {
    const seen = look();
    same = seen === last && seen > 0 ? same + 1 : 0;
    last = seen;
    return same >= 10 && seen;
  });
}
