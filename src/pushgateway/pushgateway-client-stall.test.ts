import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { OutputBuffer } from "../http/output-buffer.ts";
import { PushgatewayClient, type PushgatewayClientOptions } from "./pushgateway-client.ts";

const STALL_MS = 250;

/** A server that takes connections and requests and never answers, as a frozen one does. */
class SilentServer {
  pushes = 0;
  probes = 0;
  /** Called when a request has come. */
  onRequest: () => void = () => {};
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("data", (bytes) => {
        if (bytes.toString("latin1").startsWith("GET ")) this.probes++;
        else this.pushes++;
        this.onRequest();
      });
    });
  }

  get connections(): number {
    return this.#sockets.size;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new TypeError("Cannot learn the port: not a TCP server");
    return `127.0.0.1:${address.port}`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

async function startSilence(options: Partial<PushgatewayClientOptions>) {
  const server = new SilentServer();
  const unreachable: string[] = [];
  const address = await server.listen();
  const client = new PushgatewayClient(
    address,
    {
      maxInFlight: 10,
      maxQueued: 10,
      stallTimeoutMs: STALL_MS,
      probePath: "/-/healthy",
      probeTimeoutMs: STALL_MS,
      onUnreachable: (_address, detail) => unreachable.push(detail),
      ...options,
    },
    new OutputBuffer(),
  );
  const watch = setInterval(() => client.watch(performance.now()), STALL_MS / 10);
  cleanups.push(
    () => server.close(),
    () => client.retire(),
    () => clearInterval(watch),
  );
  return { server, client, unreachable };
}

/** Pushes, and resolves with how that failed. */
function push(client: PushgatewayClient): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  client.send(
    {
      method: "PUT",
      isWhole: true,
      writeTo: (output, address) =>
        output.addText(`PUT /metrics/job/a HTTP/1.1\r\nHost: ${address}\r\nContent-Length: 0\r\n\r\n`),
    },
    {
      onResponseHead() {},
      onResponseData() {},
      onResponseEnd: () => resolve("answered"),
      onAttemptFailed: (failure) => resolve(failure),
      onDrain() {},
    },
  );
  return promise;
}

describe("PushgatewayClient before a member that does not answer", () => {
  test("gives up with one probe every push that waits, the latest too", async () => {
    const { server, client, unreachable } = await startSilence({});
    const late = Promise.withResolvers<string>();
    server.onRequest = () => {
      // The probe is under way, and will go unanswered.
      if (server.probes === 1 && server.pushes === 1) late.resolve(push(client));
    };
    expect(await Promise.all([push(client), late.promise])).toEqual(["unresponsive", "unresponsive"]);
    expect(server.probes).toBe(1);
    expect(unreachable).toEqual([`no answer within ${STALL_MS} ms`]);
    expect(client.inFlight).toBe(0);
  });

  test("gives up the pushes that wait for a connection without making them one", async () => {
    const { server, client } = await startSilence({ maxInFlight: 2 });
    const failures = await Promise.all([push(client), push(client), push(client), push(client)]);
    expect(failures).toEqual(["unresponsive", "unresponsive", "unreachable", "unreachable"]);
    // Connections are accepted in the order in which they were made, so those for the queue would come before this one.
    expect(await push(client)).toBe("unresponsive");
    expect([server.pushes, server.probes, server.connections]).toEqual([3, 2, 5]);
  });
});
