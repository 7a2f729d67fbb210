import { afterAll, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { ClientConnection, type ConnectionError, type ResponseReceiver } from "../../src/http/client-connection.ts";
import { OutputBuffer } from "../../src/http/output-buffer.ts";
import type { ResponseHead } from "../../src/http/response-head.ts";
import { freePort } from "../support/free-port.ts";
import { waitFor } from "../support/wait-for.ts";
import { settle } from "./http-fixture.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();

/** A server that does the given thing whenever something comes in. Real bytes on a real socket. */
async function listen(onData: (socket: Socket, data: string) => unknown, onConnection?: (socket: Socket) => void) {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("data", (bytes) => onData(socket, bytes.toString("latin1")));
    onConnection?.(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("Cannot learn the port: not a TCP server");
  return address.port;
}

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** Notes what it is told of a response. */
class RecordingResponse implements ResponseReceiver {
  head: ResponseHead | undefined;
  body = "";
  drains = 0;
  /** `end`, or the kind of failure and its message. */
  readonly endings: string[] = [];

  onResponseHead(head: ResponseHead): void {
    if (this.head !== undefined) throw new Error("Cannot take a second head");
    this.head = head;
  }

  onResponseData(chunk: Buffer): void {
    this.body += chunk.toString("latin1");
  }

  onResponseEnd(): void {
    this.endings.push("end");
  }

  onFailure(error: ConnectionError): void {
    this.endings.push(`${error.kind}: ${error.message}`);
  }

  onDrain(): void {
    this.drains++;
  }

  async ended(): Promise<string> {
    return await waitFor("the end of the response", () => this.endings[0]);
  }
}

/** A connection, and what it says of itself. */
async function open(port: number) {
  const events: string[] = [];
  const connection = await new Promise<ClientConnection>((resolve, reject) => {
    ClientConnection.open("127.0.0.1", port, resolve, reject);
  });
  connection.onIdle = () => events.push("idle");
  connection.onClose = () => events.push("close");
  return { connection, events };
}

function send(connection: ClientConnection, text: string, whole = true): RecordingResponse {
  const response = new RecordingResponse();
  const output = new OutputBuffer();
  output.addText(text);
  connection.send(text.slice(0, text.indexOf(" ")), output, whole, response);
  return response;
}

const PUT = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("ClientConnection, answers", () => {
  test.each<[string, string[], string, number]>([
    ["a length", [OK], "ok", 200],
    ["no body", ["HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"], "", 202],
    [
      "chunks",
      ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nT: t\r\n\r\n"],
      "ok",
      200,
    ],
    [
      "interim answers before it",
      [`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`],
      "ok",
      200,
    ],
    ["204", ["HTTP/1.1 204 No Content\r\n\r\n"], "", 204],
    ["every byte on its own", Array.from(`HTTP/1.1 100 Continue\r\n\r\n${OK}`), "ok", 200],
  ])("reads %s, and can be used again", async (_what, pieces, body, status) => {
    const port = await listen(async (socket) => {
      for (const piece of pieces) {
        socket.write(piece);
        await settle();
      }
    });
    const { connection, events } = await open(port);
    for (let i = 0; i < 2; i++) {
      const response = send(connection, PUT);
      expect(await response.ended()).toBe("end");
      expect([response.head?.status, response.body]).toEqual([status, body]);
    }
    await settle();
    expect(events).toEqual(["idle", "idle"]);
    connection.destroy();
    expect(events).toEqual(["idle", "idle", "close"]);
  });

  test("reads the answer to HEAD, which announces a body and has none", async () => {
    const port = await listen((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"));
    const { connection, events } = await open(port);
    for (let i = 0; i < 2; i++) expect(await send(connection, PUT.replace("PUT", "HEAD")).ended()).toBe("end");
    expect(events).toEqual(["idle", "idle"]);
    connection.destroy();
  });

  test.each<[string, string]>([
    ["its length, and says that it closes", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"],
    ["the end of the connection", "HTTP/1.1 200 OK\r\n\r\nok"],
    ["its length, in HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"],
  ])("is not used again behind an answer that ends with %s", async (_what, answer) => {
    const { connection, events } = await open(await listen((socket) => socket.end(answer)));
    const response = send(connection, PUT);
    expect(await response.ended()).toBe("end");
    expect(response.body).toBe("ok");
    expect(events).toEqual(["close"]);
    expect(connection.isClosed).toBe(true);
  });

  test("is not used again when the answer came before the request was sent", async () => {
    const { connection, events } = await open(await listen((socket) => socket.write(OK)));
    const response = send(connection, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", false);
    expect(await response.ended()).toBe("end");
    expect(events).toEqual(["close"]);
  });

  test("is used again when the last of the request was handed over in time", async () => {
    const port = await listen((socket, data) => data.endsWith("body") && socket.write(OK));
    const { connection, events } = await open(port);
    const response = send(connection, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", false);
    connection.write(Buffer.from("body"));
    connection.finishRequest();
    expect(await response.ended()).toBe("end");
    expect(events).toEqual(["idle"]);
    connection.destroy();
  });
});

describe("ClientConnection, failures", () => {
  test.each<[string, (socket: Socket) => void, string]>([
    ["closes without an answer", (socket) => socket.end(), "lost: Connection closed by the server"],
    ["resets without an answer", (socket) => socket.resetAndDestroy(), "lost: Connection ECONNRESET"],
    ["closes within the head", (socket) => socket.end("HTTP/1.1 20"), "cut: Connection closed by the server"],
    [
      "closes behind an interim answer",
      (socket) => socket.end("HTTP/1.1 100 Continue\r\n\r\n"),
      "lost: Connection closed by the server",
    ],
    ["closes within the body", (socket) => socket.end(OK.slice(0, -1)), "cut: Connection closed by the server"],
    [
      "closes within a chunk",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok"),
      "cut: Connection closed by the server",
    ],
    [
      "closes before the last chunk",
      (socket) => socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"),
      "cut: Connection closed by the server",
    ],
    [
      "does not speak HTTP",
      (socket) => socket.write("SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"),
      "malformed: Malformed HTTP status line",
    ],
    [
      "sends a head without an end",
      (socket) => socket.write(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`),
      "malformed: Message head too large: more than 65536 bytes",
    ],
    [
      "sends a bad chunk",
      (socket) => socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"),
      "malformed: Malformed chunked body: bad chunk size",
    ],
    [
      "switches protocols",
      (socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
      "malformed: Malformed HTTP response: unasked 101 Switching Protocols",
    ],
    [
      "sends more than its answer",
      (socket) => socket.write(OK + OK),
      "malformed: Malformed HTTP response: bytes behind its end",
    ],
  ])("tells its receiver once of a server that %s, and closes", async (_what, onData, ending) => {
    const { connection, events } = await open(await listen(onData));
    const response = send(connection, PUT);
    expect(await response.ended()).toBe(ending);
    await settle();
    expect(response.endings).toHaveLength(1);
    expect(events).toEqual(["close"]);
    expect(connection.isClosed).toBe(true);
  });

  test("does not take a reset for the end of a body that ends with the connection", async () => {
    const port = await listen(async (socket) => {
      socket.write("HTTP/1.1 200 OK\r\n\r\nok");
      await settle();
      socket.resetAndDestroy();
    });
    const { connection } = await open(port);
    expect(await send(connection, PUT).ended()).toBe("cut: Connection ECONNRESET");
  });

  test("does not take what came unasked for the answer to the next request", async () => {
    const { connection, events } = await open(
      await listen(
        () => {},
        (socket) => socket.write(OK),
      ),
    );
    await waitFor("the close", () => events.length > 0);
    expect(events).toEqual(["close"]);
    expect(connection.isClosed).toBe(true);
  });

  test("notices that the server closes an idle connection", async () => {
    const port = await listen(async (socket) => {
      socket.write(OK);
      await settle();
      socket.end();
    });
    const { connection, events } = await open(port);
    const response = send(connection, PUT);
    await waitFor("the close", () => connection.isClosed);
    expect(events).toEqual(["idle", "close"]);
    expect(response.endings).toEqual(["end"]);
  });

  test("says nothing to the receiver of an exchange that is destroyed", async () => {
    const { connection, events } = await open(await listen((socket) => socket.end(OK)));
    const response = send(connection, PUT);
    connection.destroy();
    connection.destroy();
    await settle();
    expect(response.endings).toEqual([]);
    expect(events).toEqual(["close"]);
  });

  test("can be destroyed from within the answer", async () => {
    const { connection, events } = await open(await listen((socket) => socket.write(OK + OK)));
    const response = new RecordingResponse();
    response.onResponseData = () => connection.destroy();
    const output = new OutputBuffer();
    output.addText(PUT);
    connection.send("PUT", output, true, response);
    await waitFor("the close", () => events.length > 0);
    await settle();
    expect(response.endings).toEqual([]);
    expect(events).toEqual(["close"]);
  });

  test.each<[string, string, number, string]>([
    ["nobody listens", "127.0.0.1", freePort(), "ECONNREFUSED"],
    ["the name does not resolve", "pushgateway.invalid", 9091, "ENOTFOUND"],
  ])("is refused when %s", async (_when, host, port, code) => {
    const failure = new Promise<ConnectionError>((resolve, reject) => {
      ClientConnection.open(host, port, () => reject(new Error("Cannot be")), resolve);
    });
    expect(await failure).toMatchObject({
      kind: "refused",
      code,
      message: `Cannot connect to ${host}:${port}: ${code}`,
    });
  });

  test("tells nobody of a connection that is destroyed before it came about", async () => {
    const told: string[] = [];
    const port = await listen(() => {});
    for (const target of [port, freePort()]) {
      const connection = ClientConnection.open(
        "127.0.0.1",
        target,
        () => told.push("open"),
        () => told.push("failure"),
      );
      connection.destroy();
    }
    const { connection } = await open(port);
    await settle();
    expect(told).toEqual([]);
    connection.destroy();
  });
});

describe("ClientConnection, back-pressure", () => {
  test("tells when a slow server has taken what was sent, and not otherwise", async () => {
    let server: Socket | undefined;
    const port = await listen(
      () => {},
      (socket) => {
        server = socket;
        socket.pause();
      },
    );
    const { connection } = await open(port);
    const response = send(connection, PUT, false);
    connection.pause();
    connection.resume();
    await settle();
    expect(response.drains).toBe(0);
    const chunk = Buffer.alloc(1_000_000);
    let sent = 0;
    while (connection.write(chunk)) if (sent++ > 50) throw new Error("Cannot fill the socket: it takes everything");
    server?.resume();
    await waitFor("the drain", () => response.drains > 0);
    expect(response.drains).toBe(1);
    connection.destroy();
  });

  test("reads no more of an answer than its receiver wants, and reads the next one though that never resumed", async () => {
    const length = 20_000_000;
    let isLong = true;
    const port = await listen((socket) => {
      if (!isLong) {
        socket.write(OK);
        return;
      }
      isLong = false;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
      socket.write(Buffer.alloc(length));
    });
    const { connection } = await open(port);
    const response = new RecordingResponse();
    let received = 0;
    response.onResponseData = (chunk) => {
      received += chunk.length;
      connection.pause();
    };
    const output = new OutputBuffer();
    output.addText(PUT);
    connection.send("PUT", output, true, response);
    let largest = 0;
    while (received < length) {
      const before = received;
      connection.resume();
      await waitFor("more of the answer", () => received > before, { intervalMs: 1 });
      await settle();
      largest = Math.max(largest, received - before);
    }
    expect(largest).toBeLessThan(2_000_000);
    expect(response.endings).toEqual(["end"]);
    const next = send(connection, PUT);
    expect(await next.ended()).toBe("end");
    expect(next.body).toBe("ok");
    connection.destroy();
  });
});
