import { describe, expect, test } from "bun:test";
import type { HttpExchange } from "../../src/http/server-exchange.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import { begin, echo, RecordingReceiver, request, settle, TestServer } from "./http-fixture.ts";

describe("HttpServer, a request at a time", () => {
  test("answers one request after the other on one connection", async () => {
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    for (const body of ["a", "", "ccc"]) {
      await client.write(request("PUT", "/metrics/job/x?y#z", body));
      const response = await client.readResponse();
      expect(response).toMatchObject({ version: "HTTP/1.1", status: 200, reason: "OK" });
      expect(response.text()).toBe(`PUT /metrics/job/x?y#z ${body}`);
      expect(response.header("connection")).toBeUndefined();
      expect(Date.parse(response.header("date") ?? "")).toBeGreaterThan(Date.now() - 5_000);
    }
    expect(server.http.connectionCount).toBe(1);
  });

  test.each<[string, string, string]>([
    ["a length", request("PUT", "/a", "hello"), "PUT /a hello"],
    [
      "chunks",
      `${request("PUT", "/a", undefined, "Transfer-Encoding: chunked")}2;x\r\nhe\r\n3\r\nllo\r\n0\r\nT: t\r\n\r\n`,
      "PUT /a hello",
    ],
    ["no body", request("DELETE", "/a"), "DELETE /a "],
  ])("reads a request with %s that comes byte by byte, or in two parts", async (_what, text, answer) => {
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    for (const byte of text) {
      await client.write(byte);
      await settle();
    }
    expect((await client.readResponse()).text()).toBe(answer);
    for (let at = 1; at < text.length; at++) {
      await client.write(text.slice(0, at));
      await settle();
      await client.write(text.slice(at));
      expect((await client.readResponse()).text()).toBe(answer);
    }
  });

  test("gives the handler the target in the bytes of the wire, and the client's address", async () => {
    const seen: string[] = [];
    await using server = new TestServer((exchange) => {
      seen.push(exchange.head.target, exchange.remoteAddress);
      exchange.respondText(200, "");
    });
    await rawRequest(server.address, Buffer.from("GET http://x/%2F/..//\xe9\\ HTTP/1.1\r\nHost: x\r\n\r\n", "latin1"));
    expect(seen).toEqual(["/%2F/..//\xe9\\", "127.0.0.1"]);
  });

  test.each<[string, string, string | undefined, "closed" | "open"]>([
    ["HTTP/1.1", "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", undefined, "open"],
    ["HTTP/1.1 with close", "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", "close", "closed"],
    ["HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", "close", "closed"],
    ["HTTP/1.0 with keep-alive", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", "open"],
  ])("tells a client with %s what becomes of the connection", async (_what, text, connection, fate) => {
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    await client.write(text);
    const response = await client.readResponse();
    expect(response.header("connection")).toBe(connection);
    expect(response.text()).toBe("GET /a ");
    if (fate === "closed") {
      expect(await client.ending()).toBe("closed");
    } else {
      await client.write(text);
      expect((await client.readResponse()).text()).toBe("GET /a ");
    }
  });
});

describe("HttpServer, pipelined requests", () => {
  const count = 5_000;
  const burst = Array.from({ length: count }, (_, i) => request("PUT", `/${i}`, "x".repeat(i % 7))).join("");

  test.each<[string, (exchange: HttpExchange) => void]>([
    ["at once", echo],
    ["before their bodies are read", (exchange) => exchange.respondText(200, `PUT ${exchange.head.target} `)],
    ["later", (exchange) => setImmediate(() => echo(exchange))],
  ])("answers 5,000 of them in their order when the handler answers %s", async (_when, handle) => {
    await using server = new TestServer(handle);
    await using client = await RawConnection.open(server.address);
    void client.write(burst);
    for (let i = 0; i < count; i++) {
      expect((await client.readResponse()).text()).toStartWith(`PUT /${i} `);
    }
  });

  test("answers all of them to a client that has said that it sends no more", async () => {
    await using server = new TestServer((exchange) => setImmediate(() => echo(exchange)));
    await using client = await RawConnection.open(server.address);
    void client.write(request("PUT", "/1", "a") + request("PUT", "/2", "b") + request("GET", "/3"));
    client.end();
    for (const answer of ["PUT /1 a", "PUT /2 b", "GET /3 "]) expect((await client.readResponse()).text()).toBe(answer);
    expect(await client.ending()).toBe("closed");
  });

  test("answers none behind one that asked for the connection to be closed", async () => {
    const targets: string[] = [];
    await using server = new TestServer((exchange) => {
      targets.push(exchange.head.target);
      exchange.respondText(200, "");
    });
    await using client = await RawConnection.open(server.address);
    await client.write(
      request("GET", "/1") + request("GET", "/2", undefined, "Connection: close") + request("GET", "/3"),
    );
    await client.readResponse();
    expect((await client.readResponse()).header("connection")).toBe("close");
    expect(await client.readToEnd()).toHaveLength(0);
    expect(targets).toEqual(["/1", "/2"]);
  });
});

describe("HttpServer, framing a response", () => {
  const stream =
    (...chunks: string[]) =>
    (exchange: HttpExchange): void => {
      begin(exchange, "unknown-length", "HTTP/1.1 200 Fine", "X: y", "Keep-Alive: 5", "Content-Length: 9");
      for (const chunk of chunks) exchange.write(Buffer.from(chunk));
      exchange.end();
    };

  test("sends a body of unknown length in chunks, short or long, and lets the connection live", async () => {
    const body = ["ab", "", "c".repeat(300), "d".repeat(300_000), "e"];
    await using server = new TestServer(stream(...body));
    await using client = await RawConnection.open(server.address);
    for (let i = 0; i < 2; i++) {
      await client.write(request("GET", "/"));
      const response = await client.readResponse();
      expect(response).toMatchObject({ status: 200, reason: "Fine" });
      expect(response.header("transfer-encoding")).toBe("chunked");
      expect(response.header("x")).toBe("y");
      expect(response.header("keep-alive")).toBeUndefined();
      expect(response.header("content-length")).toBeUndefined();
      expect(response.text()).toBe(body.join(""));
    }
  });

  test("sends a long body as it is when its length is known", async () => {
    const body = Buffer.alloc(300_000, "x");
    await using server = new TestServer((exchange) => exchange.respond(200, [], body));
    await using client = await RawConnection.open(server.address);
    for (let i = 0; i < 2; i++) {
      await client.write(request("GET", "/"));
      expect(Buffer.from((await client.readResponse()).body).equals(body)).toBe(true);
    }
  });

  test("sends an empty body of unknown length", async () => {
    await using server = new TestServer(stream());
    expect((await rawRequest(server.address, request("GET", "/"))).text()).toBe("");
  });

  test("ends a body of unknown length with the connection for HTTP/1.0, even with keep-alive", async () => {
    await using server = new TestServer(stream("ab", "c"));
    await using client = await RawConnection.open(server.address);
    await client.write("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const response = await client.readResponse();
    expect(response.header("transfer-encoding")).toBeUndefined();
    expect(response.header("connection")).toBe("close");
    expect(response.text()).toBe("abc");
    expect(await client.ending()).toBe("closed");
  });

  test.each<[string, string, (exchange: HttpExchange) => void, Record<string, string | undefined>]>([
    ["HEAD, in one go", "HEAD", (exchange) => exchange.respondText(200, "hello"), { "content-length": "5" }],
    ["HEAD, in pieces", "HEAD", stream("hello"), { "transfer-encoding": undefined }],
    [
      "HEAD, of a known length",
      "HEAD",
      (exchange) => {
        begin(exchange, { length: 5 });
        exchange.write(Buffer.from("hello"));
        exchange.end();
      },
      { "content-length": "5" },
    ],
    ["204", "GET", (exchange) => exchange.respond(204, [], "hello"), { "content-length": undefined }],
    [
      "304",
      "GET",
      (exchange) => {
        begin(exchange, "no-body", "HTTP/1.1 304 Not Modified");
        exchange.write(Buffer.from("hello"));
        exchange.end();
      },
      { "content-length": undefined },
    ],
  ])("sends no body for %s, so that the next answer is read as one", async (_what, method, handle, headers) => {
    await using server = new TestServer(handle);
    await using client = await RawConnection.open(server.address);
    for (let i = 0; i < 2; i++) {
      await client.write(request(method, "/"));
      const response = await client.readResponse({ isHead: method === "HEAD" });
      for (const [name, value] of Object.entries(headers)) expect(response.header(name)).toBe(value);
    }
  });

  test.each<[string, string[], string]>([
    ["longer", ["abc", "def"], "longer than announced"],
    ["shorter", ["abc"], "shorter than announced"],
  ])("cuts the connection of a handler whose body is %s than announced", async (_what, chunks, fault) => {
    const closed: string[] = [];
    await using server = new TestServer((exchange) => {
      exchange.onClose = () => closed.push(exchange.head.target);
      begin(exchange, { length: 5 });
      for (const chunk of chunks) exchange.write(Buffer.from(chunk));
      exchange.end();
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/"));
    expect(await client.ending()).toBe("reset");
    expect(server.takeErrors()).toEqual([`Cannot send a response body ${fault}`]);
  });

  test("answers once: what comes after an answer changes nothing", async () => {
    await using server = new TestServer((exchange) => {
      expect([exchange.isOpen, exchange.status]).toEqual([true, 0]);
      exchange.respondText(202, "first\n");
      expect([exchange.isOpen, exchange.status]).toEqual([false, 202]);
      exchange.respondText(500, "second\n");
      begin(exchange, "unknown-length", "HTTP/1.1 500 Late");
      expect(exchange.write(Buffer.from("third"))).toBe(true);
      exchange.end();
    });
    await using client = await RawConnection.open(server.address);
    for (let i = 0; i < 2; i++) {
      await client.write(request("GET", "/"));
      const response = await client.readResponse();
      expect([response.status, response.text()]).toEqual([202, "first\n"]);
    }
  });
});

describe("HttpServer, requests that break the rules", () => {
  test.each<[number, string, string]>([
    [400, "no request line", "garbage\r\n\r\n"],
    [400, "a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
    [400, "bare LFs", "GET / HTTP/1.1\nHost: a\n\n"],
    [400, "no Host", "GET / HTTP/1.1\r\n\r\n"],
    [
      400,
      "both lengths",
      "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    [400, "a bad chunk", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"],
    [501, "another encoding", "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"],
    [505, "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    [417, "another expectation", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n"],
    [431, "a long head", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(70_000)}\r\n\r\n`],
  ])("answers %p to %s, says that it closes, and closes", async (status, _what, text) => {
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    void client.write(Buffer.from(text, "latin1"));
    const response = await client.readResponse();
    expect(response.status).toBe(status);
    expect(response.header("connection")).toBe("close");
    expect(response.header("content-type")).toBe("text/plain; charset=utf-8");
    expect(response.text()).toMatch(/^[A-Z].*\n$/);
    expect(await client.ending()).toBe("closed");
  });

  test("does not read what follows such a request as another", async () => {
    const targets: string[] = [];
    await using server = new TestServer((exchange) => {
      targets.push(exchange.head.target);
      echo(exchange);
    });
    const smuggled = request("GET", "/smuggled");
    const text = `PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`;
    await using client = await RawConnection.open(server.address);
    await client.write(text);
    expect((await client.readResponse()).status).toBe(400);
    await client.write(smuggled);
    expect(await client.readToEnd()).toHaveLength(0);
    expect(targets).toEqual([]);
  });

  test("closes without a word when the client leaves within a head", async () => {
    await using server = new TestServer(echo);
    await using client = await RawConnection.open(server.address);
    await client.write("GET / HTTP/1.1\r\nHo");
    client.end();
    expect(await client.ending()).toBe("closed");
    expect(await client.readToEnd()).toHaveLength(0);
  });
});

describe("HttpServer, handlers that throw", () => {
  const boom = (): never => {
    throw new Error("boom");
  };
  const receiving = (receiver: Partial<RecordingReceiver>) => (exchange: HttpExchange) =>
    exchange.receiveBody(Object.assign(new RecordingReceiver(), receiver));

  test.each<[string, (exchange: HttpExchange) => void]>([
    ["at once", boom],
    ["on data", receiving({ onData: boom })],
    ["on the end of the body", receiving({ onEnd: boom })],
    ["on data, and again when the body is given up", receiving({ onData: boom, onAbort: boom })],
    [
      "because they receive the body twice",
      (exchange) => {
        exchange.receiveBody(new RecordingReceiver());
        exchange.receiveBody(new RecordingReceiver());
      },
    ],
  ])("answers 500 for a handler that throws %s, and goes on serving", async (_when, handle) => {
    await using server = new TestServer((exchange) => {
      if (exchange.head.target === "/good") echo(exchange);
      else handle(exchange);
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/bad", "body"));
    const response = await client.readResponse();
    expect(response.status).toBe(500);
    expect(response.header("connection")).toBe("close");
    expect(response.text()).not.toContain("boom");
    expect(server.takeErrors().length).toBeGreaterThan(0);
    expect((await rawRequest(server.address, request("PUT", "/good", "x"))).text()).toBe("PUT /good x");
  });

  test("cuts the connection of a handler that throws when its answer has begun", async () => {
    await using server = new TestServer((exchange) => {
      begin(exchange, { length: 5 });
      exchange.write(Buffer.from("abc"));
      boom();
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/"));
    expect(await client.ending()).toBe("reset");
    expect(server.takeErrors()).toEqual(["boom"]);
  });

  test("sends the answer of a handler that throws behind it, and closes", async () => {
    const receiver = new RecordingReceiver();
    await using server = new TestServer((exchange) => {
      exchange.receiveBody(receiver);
      exchange.respondText(200, "done\n");
      boom();
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("PUT", "/", undefined, "Content-Length: 5"));
    expect((await client.readResponse()).text()).toBe("done\n");
    expect(await client.ending()).toBe("closed");
    expect(receiver.endings).toHaveLength(1);
    expect(server.takeErrors()).toEqual(["boom"]);
  });

  test("does not let a handler's throwing reach whoever answered the request before it", async () => {
    let answerFirst = (): void => {};
    await using server = new TestServer((exchange) => {
      if (exchange.head.target === "/second") boom();
      answerFirst = () => exchange.respondText(200, "first\n");
    });
    await using client = await RawConnection.open(server.address);
    await client.write(request("GET", "/first") + request("GET", "/second"));
    await settle();
    answerFirst();
    expect((await client.readResponse()).text()).toBe("first\n");
    expect((await client.readResponse()).status).toBe(500);
    expect(server.takeErrors()).toEqual(["boom"]);
  });
});
