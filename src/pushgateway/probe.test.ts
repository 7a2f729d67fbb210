import { afterAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { hasAnswered, isInService, type ProbeVerdict, probe } from "./probe.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();

/** A server that does the given thing with each connection, once its request is there. Real bytes on a real socket. */
async function listen(onRequest: (socket: Socket, request: string) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (bytes) => onRequest(socket, bytes.toString("latin1")));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("Cannot learn the port: not a TCP server");
  return `127.0.0.1:${address.port}`;
}

function answer(status: string, body = ""): (socket: Socket) => void {
  return (socket) => socket.end(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

const options = { path: "/-/healthy", timeoutMs: 5_000 };

describe("probe()", () => {
  test.each<[string, (socket: Socket) => void, ProbeVerdict, string]>([
    ["200", answer("200 OK", "OK"), "healthy", "answers 200"],
    ["204", answer("204 No Content"), "healthy", "answers 204"],
    ["429", answer("429 Too Many Requests"), "overloaded", "answers 429"],
    [
      "a full write queue",
      answer("500 Internal Server Error", "write queue is full\n"),
      "overloaded",
      "write queue is full",
    ],
    ["another 500", answer("500 Internal Server Error", "boom"), "unhealthy", "answers 500 to GET /-/healthy"],
    ["503", answer("503 Service Unavailable"), "unhealthy", "answers 503 to GET /-/healthy"],
    ["404", answer("404 Not Found"), "unhealthy", "answers 404 to GET /-/healthy"],
    ["401", answer("401 Unauthorized"), "unauthorized", "answers 401 to GET /-/healthy, which asks for credentials"],
    ["403", answer("403 Forbidden"), "unauthorized", "answers 403 to GET /-/healthy, which asks for credentials"],
    [
      "something else than HTTP",
      (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
      "unhealthy",
      "does not answer in HTTP",
    ],
    ["a reset", (socket) => socket.resetAndDestroy(), "unreachable", "connection reset"],
    ["an early end", (socket) => socket.end(), "unreachable", "connection reset"],
    [
      "a body cut short",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nO"),
      "healthy",
      "answers 200",
    ],
    [
      "an endless body",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(100_000)}`),
      "healthy",
      "answers 200",
    ],
  ])("calls %s by its name", async (_what, onRequest, verdict, detail) => {
    expect(await probe(await listen(onRequest), options)).toEqual({ verdict, detail });
  });

  test("asks with GET, for the given path, on a connection that it does not keep", async () => {
    const requests: string[] = [];
    const address = await listen((socket, request) => {
      requests.push(request);
      answer("200 OK")(socket);
    });
    await probe(address, { ...options, path: "/pg/-/healthy" });
    expect(requests).toHaveLength(1);
    expect(requests[0]).toStartWith("GET /pg/-/healthy HTTP/1.1\r\n");
    expect(requests[0]).toContain(`Host: ${address}\r\n`);
    expect(requests[0]).toContain("Connection: close\r\n");
  });

  test("calls a closed port refused", async () => {
    const address = await listen(() => {});
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await probe(address, options)).toEqual({ verdict: "refused", detail: "connection refused" });
  });

  test("calls a name that does not resolve unreachable", async () => {
    expect((await probe("pushgateway.invalid:9091", options)).verdict).toBe("unreachable");
  });

  test.each<[string, (socket: Socket) => void]>([
    ["before the answer", () => {}],
    ["within the headers", (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Le")],
    ["within the body", (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nO")],
  ])("gives up at its deadline when the silence falls %s", async (_when, onRequest) => {
    const result = await probe(await listen(onRequest), { ...options, timeoutMs: 50 });
    expect(result).toEqual({ verdict: "unreachable", detail: "no answer within 50 ms" });
  });

  test("rejects with the reason of its signal, before and during the exchange", async () => {
    const abort = new AbortController();
    const address = await listen(() => abort.abort(new Error("enough")));
    await expect(probe(address, { ...options, signal: abort.signal })).rejects.toThrow("enough");
    await expect(probe(address, { ...options, signal: AbortSignal.abort(new Error("never began")) })).rejects.toThrow(
      "never began",
    );
  });
});

describe("hasAnswered() and isInService()", () => {
  test.each<[ProbeVerdict, boolean, boolean]>([
    ["healthy", true, true],
    ["overloaded", true, true],
    ["unauthorized", true, true],
    ["unhealthy", true, false],
    ["refused", false, false],
    ["unreachable", false, false],
  ])("%s: answered %p, in service %p", (verdict, answered, inService) => {
    expect(hasAnswered(verdict)).toBe(answered);
    expect(isInService(verdict)).toBe(inService);
  });
});
