import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Socket } from "node:net";
import { type ClockSample, MemberRequestError, requestMember, streamMember } from "./member-request.ts";

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

/** A server that does the given thing with each connection, once a request is there. Real bytes on a real socket. */
async function listen(onRequest: (socket: Socket, request: string) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (bytes) => onRequest(socket, bytes.toString("latin1")));
  });
  resources.defer(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("Cannot learn the port: not a TCP server");
  return `127.0.0.1:${address.port}`;
}

function answer(status: string, body = "", ...fields: string[]): (socket: Socket) => void {
  const head = [`HTTP/1.1 ${status}`, `Content-Length: ${body.length}`, ...fields].join("\r\n");
  return (socket) => socket.end(`${head}\r\n\r\n${body}`);
}

const GET = { method: "GET", target: "/x", timeoutMs: 5_000 };

async function errorOf(promise: Promise<unknown>): Promise<MemberRequestError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MemberRequestError) return error;
    throw error;
  }
  throw new Error("Cannot look at the error: there is none");
}

describe("requestMember()", () => {
  test("sends what it is told to, on a connection that it does not keep", async () => {
    const requests: string[] = [];
    const address = await listen((socket, request) => {
      requests.push(request);
      answer("202 Accepted", "done")(socket);
    });
    const result = await requestMember(address, {
      method: "PUT",
      target: "/a?b=%20",
      headers: ["Accept", "text/plain", "X-A", "1"],
      body: Buffer.from("body"),
      timeoutMs: 5_000,
    });
    expect(result.status).toBe(202);
    expect(result.body.toString()).toBe("done");
    expect(requests).toEqual([
      `PUT /a?b=%20 HTTP/1.1\r\nHost: ${address}\r\nConnection: close\r\nAccept: text/plain\r\nX-A: 1\r\nContent-Length: 4\r\n\r\nbody`,
    ]);
  });

  test("resolves whatever the status is, with the member's clock beside ours", async () => {
    const address = await listen(answer("503 Busy", "later", "Date: Wed, 25 Nov 2026 10:00:00 GMT"));
    const before = Date.now();
    const { status, body, fields, ...rest } = await requestMember(address, GET);
    const clock: ClockSample | undefined = rest.clock;
    expect([status, body.toString(), fields.get("content-length")]).toEqual([503, "later", "5"]);
    expect(clock?.memberSeconds).toBe(Date.UTC(2026, 10, 25, 10) / 1_000);
    expect(clock?.sentAt).toBeGreaterThanOrEqual(before);
    expect(clock?.headAt).toBeGreaterThanOrEqual(clock?.sentAt as number);
    expect(clock?.headAt).toBeLessThanOrEqual(Date.now());
  });

  test.each(["Date: yesterday", "X-No: date"])("knows nothing of the member's clock by %s", async (field) => {
    const { clock } = await requestMember(await listen(answer("200 OK", "", field)), GET);
    expect(clock).toBeUndefined();
  });

  test("calls a closed port refused, and names member and request", async () => {
    const address = await listen(() => {});
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
    const error = await errorOf(requestMember(address, GET));
    expect(error.kind).toBe("refused");
    expect(error.message).toBe(`Cannot GET /x at ${address}: it refuses the connection`);
  });

  test.each<[string, (socket: Socket) => void, string, string]>([
    ["an early end", (socket) => socket.end(), "lost", "closed the connection without an answer"],
    ["a reset", (socket) => socket.resetAndDestroy(), "lost", "closed the connection without an answer (ECONNRESET)"],
    [
      "a body cut short",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nO"),
      "cut",
      "broke off its answer",
    ],
    [
      "chunks cut short",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nO\r\n"),
      "cut",
      "broke off its answer",
    ],
    ["another protocol", (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n\r\n"), "malformed", "does not answer in HTTP"],
    ["a body that is too long", answer("200 OK", "0123456789"), "malformed", "answers more than 9 bytes"],
  ])("tells of %s", async (_what, onRequest, kind, seen) => {
    const address = await listen(onRequest);
    const error = await errorOf(requestMember(address, { ...GET, maxBodyBytes: 9 }));
    expect(error.kind as string).toBe(kind);
    expect(error.message).toStartWith(`Cannot GET /x at ${address}: it ${seen}`);
  });

  test.each<[string, (socket: Socket) => void, string]>([
    ["silence", () => {}, "has not answered within 100 ms"],
    [
      "silence within the answer",
      (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nO"),
      "has not finished its answer within 100 ms",
    ],
  ])("gives up on %s", async (_what, onRequest, seen) => {
    const address = await listen(onRequest);
    const error = await errorOf(requestMember(address, { ...GET, timeoutMs: 100 }));
    expect(error.kind).toBe("timeout");
    expect(error.message).toStartWith(`Cannot GET /x at ${address}: it ${seen}`);
  });

  test("gives up on a silence within the answer long before the deadline of the whole", async () => {
    const address = await listen((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nO"));
    const error = await errorOf(requestMember(address, { ...GET, timeoutMs: 60_000, idleTimeoutMs: 50 }));
    expect([error.kind, error.status]).toEqual(["timeout", 200]);
    expect(error.message).toContain("has been silent for 50 ms within its answer");
  });

  test("rejects with the reason of its signal, before and during the exchange", async () => {
    const abort = new AbortController();
    const address = await listen(() => abort.abort(new Error("enough")));
    await expect(requestMember(address, { ...GET, signal: abort.signal })).rejects.toThrow("enough");
    await expect(requestMember(address, { ...GET, signal: abort.signal })).rejects.toThrow("enough");
  });
});

describe("streamMember()", () => {
  const BODY = Buffer.alloc(20_000_000, "0123456789");

  async function listenWithBody(): Promise<{ readonly address: string; readonly socket: () => Socket }> {
    let served: Socket | undefined;
    const address = await listen((socket) => {
      served = socket;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`);
      socket.end(BODY);
    });
    return { address, socket: () => served as Socket };
  }

  test("hands out the head, then the body piece by piece", async () => {
    const { address } = await listenWithBody();
    const seen: string[] = [];
    const pieces: Buffer[] = [];
    await streamMember(address, { ...GET, onHead: ({ status }) => seen.push(`head ${status}`) }, (chunk) => {
      if (pieces.length === 0) seen.push("body");
      pieces.push(chunk);
    });
    expect(seen).toEqual(["head 200", "body"]);
    expect(pieces.length).toBeGreaterThan(1);
    expect(Buffer.concat(pieces).equals(BODY)).toBe(true);
  });

  test("hands out the next piece only when the last one has been taken, and holds the member back meanwhile", async () => {
    const { address, socket } = await listenWithBody();
    const pieces: Buffer[] = [];
    let isTaking = false;
    let keptBack = 0;
    await streamMember(address, { ...GET, idleTimeoutMs: 200 }, async (chunk) => {
      expect(isTaking).toBe(false);
      isTaking = true;
      // Longer than the idle deadline, which must not count what is our own doing.
      if (pieces.length === 0) await Bun.sleep(400);
      else await Bun.sleep(0);
      keptBack = Math.max(keptBack, socket().writableLength);
      pieces.push(chunk);
      isTaking = false;
    });
    expect(keptBack).toBeGreaterThan(0);
    expect(Buffer.concat(pieces).equals(BODY)).toBe(true);
  });

  test("an answer without a body has a head all the same", async () => {
    const seen: number[] = [];
    const address = await listen(answer("204 No Content"));
    await streamMember(address, { ...GET, onHead: ({ status }) => seen.push(status) }, () => {});
    expect(seen).toEqual([204]);
  });

  test.each([
    ["500 Oops", "first\nsecond\n", "answers 500: first second"],
    ["404 Not Found", "", "answers 404"],
    ["401 Unauthorized", "Unauthorized\n", "answers 401, which asks for credentials"],
    ["302 Found", "x".repeat(2_000), `answers 302: ${"x".repeat(200)}`],
  ])("rejects for a status %s, and keeps its body from the consumer", async (status, body, seen) => {
    const address = await listen(answer(status, body));
    const pieces: Buffer[] = [];
    const error = await errorOf(streamMember(address, GET, (chunk) => void pieces.push(chunk)));
    expect([error.kind, error.status]).toEqual(["status", Number(status.slice(0, 3))]);
    expect(error.message).toBe(`Cannot GET /x at ${address}: it ${seen}`);
    expect(pieces).toEqual([]);
  });

  test.each<[string, () => void | Promise<void>]>([
    [
      "throws",
      () => {
        throw new Error("no more");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no more"))],
  ])("ends with the error of a consumer that %s, and cuts the connection", async (_how, onData) => {
    const { address, socket } = await listenWithBody();
    await expect(streamMember(address, GET, onData)).rejects.toThrow("no more");
    const served = socket();
    if (!served.destroyed) await new Promise((resolve) => served.once("close", resolve));
    expect(served.writableFinished).toBe(false);
  });
});
