import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { chunked } from "../support/push-bodies.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";

describe("What a proxied push looks like to a member", () => {
  let member: FakePushgateway;
  let router: LocalRouter;

  beforeAll(async () => {
    member = await FakePushgateway.start();
    router = await LocalRouter.start(configOf([member], { limits: { max_buffered_body_bytes: "1KiB" } }));
  });

  beforeEach(() => {
    member.script = {};
  });

  afterAll(async () => {
    await router.stop();
    await member[Symbol.asyncDispose]();
  });

  test.each([
    ["percent-encoding of any kind", "/metrics/job/%61%2Fb/%252f%c3%BC"],
    ["raw UTF-8", "/metrics/job/grüße/a/“b”"],
    ["every printable character", "/metrics/job/!\"#$&'()*+,-.0:;<=>@A[\\]^_`a{|}~"],
    ["a query with anything in it", "/metrics/job/a?b=/c//../d&%zz?#\\é"],
    ["base64", "/metrics/job@base64/YQ==/x@base64/"],
    ["labels out of order", "/metrics/job/a/z/1/b/2/z/"],
  ])("its target is the client's, byte for byte: %s", async (_what, target) => {
    const answer = await rawRequest(
      router.address,
      `PUT ${target} HTTP/1.1\r\nHost: router\r\nContent-Length: 4\r\n\r\nx 1\n`,
    );
    expect(answer.status).toBe(200);
    expect(Buffer.from(member.latest.requestLine, "latin1").toString()).toBe(`PUT ${target} HTTP/1.1`);
  });

  test("its target is the path of an absolute one, which may be empty of all else", async () => {
    await rawRequest(router.address, "PUT http://user@elsewhere:1/metrics/job/a?b HTTP/1.1\r\nHost: x\r\n\r\n");
    expect(member.latest.requestLine).toBe("PUT /metrics/job/a?b HTTP/1.1");
  });

  test("its headers are the client's in their order, less those of a single connection", async () => {
    const head = [
      "POST /metrics/job/a HTTP/1.1",
      "Host: router.example.org:9292",
      "user-AGENT: test/1.0",
      "Connection: keep-alive, x-private,X-Other",
      "X-Private: 1",
      "Authorization: Basic dXNlcjpwYXNzd29yZA==",
      "Keep-Alive: timeout=5",
      "Accept: */*",
      "X-Twice: 1",
      "TE: trailers",
      "X-Twice: 2",
      "Proxy-Authorization: Basic eA==",
      "Proxy-Connection: keep-alive",
      "x-other: 1",
      "Content-Encoding: identity",
      "Upgrade: h2c",
      "X-Latin: \xe9",
      "Content-Length: 4",
      "X-Empty:",
      "Content-Type: text/plain",
      "Via: 1.0 front",
    ];
    await rawRequest(router.address, Buffer.from(`${head.join("\r\n")}\r\n\r\nx 1\n`, "latin1"));
    const [host, ...others] = member.latest.headerLines;
    expect(host).toBe(`Host: ${member.address}`);
    expect(others.map((line) => line.replace(/-[0-9a-f]{8}$/, ""))).toEqual([
      "user-AGENT: test/1.0",
      "Authorization: Basic dXNlcjpwYXNzd29yZA==",
      "Accept: */*",
      "X-Twice: 1",
      "X-Twice: 2",
      "Content-Encoding: identity",
      "X-Latin: \xe9",
      "X-Empty:",
      "Content-Type: text/plain",
      "Via: 1.0 front",
      "Via: 1.1 dynamic-sharding",
      "Content-Length: 4",
    ]);
    expect(member.latest.body).toBe("x 1\n");
  });

  test.each([
    ["has a length", "Content-Length: 2000", "x".repeat(2_000), "Content-Length: 2000"],
    ["is short and has a length", "Content-Length: 4", "x 1\n", "Content-Length: 4"],
    ["is short and chunked", "Transfer-Encoding: chunked", chunked("x 1\n", [1]), "Content-Length: 4"],
    ["is long and chunked", "Transfer-Encoding: chunked", chunked("x".repeat(2_000)), "Transfer-Encoding: chunked"],
    ["is empty and chunked", "Transfer-Encoding: chunked", "0\r\n\r\n", "Content-Length: 0"],
    ["is empty", "Content-Length: 0", "", "Content-Length: 0"],
    ["is not there", "X-Nothing: 1", "", "Content-Length: 0"],
  ])("its body is framed anew: one that %s", async (_what, framing, body, expected) => {
    const head = `PUT /metrics/job/a HTTP/1.1\r\nHost: router\r\n${framing}\r\n\r\n`;
    await rawRequest(router.address, Buffer.concat([Buffer.from(head), Buffer.from(body as Uint8Array)]));
    const lines = member.latest.headerLines.filter((line) => /^(?:content-length|transfer-encoding):/i.test(line));
    expect(lines).toEqual([expected]);
    expect(member.latest.body.replaceAll("x", "").length).toBeLessThan(5);
  });

  test("a DELETE without a body has no length either", async () => {
    await rawRequest(router.address, "DELETE /metrics/job/a HTTP/1.1\r\nHost: router\r\n\r\n");
    expect(member.latest.header("Content-Length")).toBeUndefined();
    expect(member.latest.header("Transfer-Encoding")).toBeUndefined();
  });

  test("100 Continue comes from the router, and the member is not asked for it", async () => {
    await using client = await RawConnection.open(router.address);
    await client.write(
      "PUT /metrics/job/a HTTP/1.1\r\nHost: router\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    );
    expect(await client.readStatus()).toBe(100);
    await client.write("x 1\n");
    expect((await client.readResponse()).status).toBe(200);
    expect(member.latest.header("Expect")).toBeUndefined();
  });

  test("pushes that a client sends in one go are answered in their order", async () => {
    member.script = { onPush: (push) => push.respond(200, push.body) };
    await using client = await RawConnection.open(router.address);
    const requests = Array.from(
      { length: 50 },
      (_, i) => `PUT /metrics/job/p${i} HTTP/1.1\r\nHost: router\r\nContent-Length: ${`${i}`.length}\r\n\r\n${i}`,
    );
    void client.write(requests.join(""));
    for (let i = 0; i < requests.length; i++) expect((await client.readResponse()).text()).toBe(String(i));
  });
});

describe("What an answer to a proxied push looks like to the client", () => {
  let member: FakePushgateway;
  let router: LocalRouter;

  beforeAll(async () => {
    member = await FakePushgateway.start();
    router = await LocalRouter.start(configOf([member]));
  });

  afterAll(async () => {
    await router.stop();
    await member[Symbol.asyncDispose]();
  });

  async function pushAndGet(raw: string | Uint8Array, request = "PUT /metrics/job/a HTTP/1.1\r\nHost: r\r\n\r\n") {
    member.script = { onPush: (push) => push.write(raw) };
    return await rawRequest(router.address, request);
  }

  test("status, reason, headers and body are the member's, less what belongs to its connection", async () => {
    const answer = await pushAndGet(
      Buffer.from(
        "HTTP/1.1 418 I'm \xe9 teapot\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-A: 1\r\nConnection: x-b\r\nX-B: 2\r\n" +
          "Keep-Alive: timeout=1\r\nx-a: 3\r\nWWW-Authenticate: Basic\r\nContent-Encoding: gzip\r\n" +
          "Content-Length: 4\r\n\r\n\x00\xff\r\n",
        "latin1",
      ),
    );
    expect(answer.status).toBe(418);
    expect(answer.reason).toBe("I'm \xe9 teapot");
    expect(answer.headers.map(([name, value]) => `${name}: ${value}`).sort()).toEqual([
      "Content-Encoding: gzip",
      "Content-Length: 4",
      "Date: Thu, 01 Jan 1970 00:00:00 GMT",
      "WWW-Authenticate: Basic",
      "X-A: 1",
      "x-a: 3",
    ]);
    expect(Buffer.from(answer.body).toString("latin1")).toBe("\x00\xff\r\n");
  });

  test("a reason may be missing", async () => {
    expect((await pushAndGet("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")).status).toBe(200);
  });

  test.each([
    ["in chunks", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n"],
    ["with a length", "Content-Length: 5\r\n\r\nabcde"],
    ["that ends with its connection", "Connection: close\r\n\r\nabcde"],
  ])("a body %s arrives whole, at clients of HTTP/1.1 and 1.0", async (_what, rest) => {
    const closing = rest.startsWith("Connection");
    member.script = {
      onPush: (push) => {
        push.write(`HTTP/1.1 400 Bad\r\n${rest}`);
        if (closing) push.close();
      },
    };
    for (const [version, framing] of [
      ["1.1", rest.startsWith("Content-Length") ? "Content-Length" : "Transfer-Encoding"],
      ["1.0", rest.startsWith("Content-Length") ? "Content-Length" : "Connection"],
    ] as const) {
      const answer = await rawRequest(router.address, `PUT /metrics/job/a HTTP/${version}\r\nHost: r\r\n\r\n`);
      expect(answer.text()).toBe("abcde");
      expect(answer.header(framing)).toBeDefined();
    }
  });

  test.each([204, 304])("a %d has neither body nor length", async (status) => {
    const answer = await pushAndGet(`HTTP/1.1 ${status} None\r\n\r\n`);
    expect(answer.status).toBe(status);
    expect(answer.headers).toEqual([]);
  });

  test("interim answers are not passed on", async () => {
    const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    const answer = await pushAndGet(`${interim}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!`);
    expect([answer.status, answer.interim, answer.text()]).toEqual([200, [], "!"]);
  });

  test("it does not matter how the bytes of an answer are cut", async () => {
    const bytes =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    member.script = {
      onPush: (push) => {
        void (async () => {
          for (const byte of bytes) {
            push.write(byte);
            await Bun.sleep(0);
          }
        })();
      },
    };
    const answer = await rawRequest(router.address, "PUT /metrics/job/a HTTP/1.1\r\nHost: r\r\n\r\n");
    expect(answer.text()).toBe("abc");
  });

  test("a client of HTTP/1.0 can keep its connection", async () => {
    member.script = {};
    await using client = await RawConnection.open(router.address);
    for (let i = 0; i < 3; i++) {
      await client.write("PUT /metrics/job/a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nx 1\n");
      const answer = await client.readResponse();
      expect([answer.status, answer.header("Connection")]).toEqual([200, "keep-alive"]);
    }
  });
});
