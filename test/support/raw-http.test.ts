import { describe, expect, test } from "bun:test";
import { RawConnection, rawRequest } from "./raw-http.ts";

/** A server that answers whatever comes first with these pieces, each in a packet of its own, and then closes or waits. */
function answering(pieces: readonly string[], after: "close" | "wait"): { address: string } & Disposable {
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async data(socket) {
        for (const piece of pieces) {
          socket.write(piece);
          socket.flush();
          await Bun.sleep(2);
        }
        if (after === "close") socket.end();
      },
    },
  });
  return { address: `127.0.0.1:${server.port}`, [Symbol.dispose]: () => server.stop(true) };
}

describe("rawRequest()", () => {
  test.each([
    ["a length", ["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r\nhel", "lo"], "wait", "hello"],
    [
      "chunks and trailers",
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "2;x=y\r\nlo\r", "\n0\r\nA: b\r\n\r\n"],
      "wait",
      "hello",
    ],
    ["the end of the connection", ["HTTP/1.1 200 OK\r\n\r\nhel", "lo"], "close", "hello"],
    ["a status that has no body", ["HTTP/1.1 204 No Content\r\n\r\n"], "wait", ""],
  ] as const)("reads a body framed by %s", async (_title, pieces, after, body) => {
    using server = answering(pieces, after);
    const response = await rawRequest(server.address, "GET / HTTP/1.1\r\n\r\n");
    expect(response.text()).toBe(body);
  });

  test("notes interim answers and keeps headers as they came", async () => {
    using server = answering(
      ["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 307 Temporary Redirect\r\nx-A: 1\r\nX-a: 2\r\nContent-Length: 0\r\n\r\n"],
      "wait",
    );
    const response = await rawRequest(server.address, "PUT / HTTP/1.1\r\n\r\n");
    expect(response).toMatchObject({ version: "HTTP/1.1", status: 307, reason: "Temporary Redirect", interim: [100] });
    expect(response.headers.slice(0, 2)).toEqual([
      ["x-A", "1"],
      ["X-a", "2"],
    ]);
    expect(response.header("CONTENT-LENGTH")).toBe("0");
  });

  test("waits for no body after HEAD", async () => {
    using server = answering(["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"], "wait");
    expect((await rawRequest(server.address, "HEAD / HTTP/1.1\r\n\r\n")).body).toHaveLength(0);
  });

  test.each([
    ["an answer cut short", ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"], "close", /connection was closed.*hel/],
    ["bytes that are no HTTP", ["SSH-2.0\r\n\r\n"], "wait", /no HTTP status line/],
  ] as const)("says what was heard of %s", async (_title, pieces, after, message) => {
    using server = answering(pieces, after);
    await expect(rawRequest(server.address, "GET / HTTP/1.1\r\n\r\n")).rejects.toThrow(message);
  });

  test("gives up on a silent server", async () => {
    using server = answering([], "wait");
    const request = rawRequest(server.address, "GET / HTTP/1.1\r\n\r\n", { timeoutMs: 100 });
    await expect(request).rejects.toThrow(/nothing came for 100 ms/);
  });
});

test("RawConnection reads pipelined answers one by one", async () => {
  using server = answering(
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nb"],
    "close",
  );
  await using connection = await RawConnection.open(server.address);
  await connection.write("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n");
  expect((await connection.readResponse()).text()).toBe("a");
  expect((await connection.readResponse()).text()).toBe("b");
  expect(await connection.readToEnd()).toHaveLength(0);
});
