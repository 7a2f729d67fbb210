import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { Socket, SocketHandler } from "bun";
import { waitFor } from "../support/wait-for.ts";

/**
 * What src/http takes for granted of Bun's sockets. Little of it is documented, so a new version of Bun may break it, and
 * then it should be seen here rather than guessed from a hanging router.
 */

type Server = { readonly port: number; readonly events: string[]; readonly socket: () => Promise<Socket<undefined>> };

/** A half-open server that notes what it is told, and a client that does so too and never closes unasked. */
async function withPair(
  handlers: SocketHandler<undefined>,
  act: (pair: { server: Server; client: ReturnType<typeof connect>; seen: string[] }) => Promise<void>,
): Promise<void> {
  const events: string[] = [];
  let accepted: Socket<undefined> | undefined;
  const listener = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      open: (socket) => {
        accepted = socket;
        events.push("open");
        void handlers.open?.(socket);
      },
      data: (socket, chunk) => {
        events.push(`data ${chunk.length}`);
        void handlers.data?.(socket, chunk);
      },
      drain: (socket) => void handlers.drain?.(socket),
      end: (socket) => {
        events.push("end");
        void handlers.end?.(socket);
      },
      close: (socket, error) => {
        events.push(error === undefined ? "close" : `close ${(error as Error & { code?: string }).code}`);
        void handlers.close?.(socket, error);
      },
      error: (_socket, error) => void events.push(`error ${error.message}`),
    },
  });
  const seen: string[] = [];
  const client = connect({ host: "127.0.0.1", port: listener.port, allowHalfOpen: true });
  client.on("data", (chunk: Buffer) => seen.push(chunk.length < 100 ? chunk.toString() : `${chunk.length} bytes`));
  client.on("end", () => seen.push("end"));
  client.on("error", (error: Error & { code?: string }) => seen.push(error.code ?? error.message));
  const socket = () => waitFor("the connection", () => accepted);
  try {
    await socket();
    await act({ server: { port: listener.port, events, socket }, client, seen });
  } finally {
    client.destroy();
    listener.stop(true);
  }
}

/** Long enough for whatever loopback would bring, when the point is that it brings nothing. */
const QUIET_MS = 100;

describe("Bun's sockets, reading", () => {
  test("pause() keeps data and the end of them back until resume()", async () => {
    await withPair({ open: (socket) => socket.pause() }, async ({ server, client }) => {
      client.write("data");
      client.end();
      await Bun.sleep(QUIET_MS);
      expect(server.events).toEqual(["open"]);
      (await server.socket()).resume();
      await waitFor("the end", () => server.events.includes("end"));
      expect(server.events).toEqual(["open", "data 4", "end"]);
    });
  });

  test("pause() within a piece of data stops at that piece, which is at most 512 KiB", async () => {
    await withPair({ data: (socket) => socket.pause() }, async ({ server, client }) => {
      client.write(Buffer.alloc(20_000_000));
      await waitFor("data", () => server.events.length > 1);
      await Bun.sleep(QUIET_MS);
      expect(server.events).toHaveLength(2);
      expect(Number(server.events[1]?.slice("data ".length))).toBeLessThanOrEqual(524_288);
    });
  });

  test("a reset is told to a paused socket, behind the data that came before it", async () => {
    await withPair({ open: (socket) => socket.pause() }, async ({ server, client }) => {
      client.write("data");
      await Bun.sleep(QUIET_MS);
      client.resetAndDestroy();
      await waitFor("the close", () => server.events.length > 2);
      expect(server.events).toEqual(["open", "data 4", "close ECONNRESET"]);
    });
  });

  test("a piece of data is a buffer of its own, which the next piece leaves alone", async () => {
    const pieces: Buffer[] = [];
    await withPair({ data: (_socket, chunk) => void pieces.push(chunk) }, async ({ client }) => {
      for (const text of ["first", "other"]) {
        client.write(text);
        await waitFor(text, () => pieces.at(-1)?.toString() === text);
      }
      expect(pieces.map(String)).toEqual(["first", "other"]);
      expect(pieces[0]?.buffer).not.toBe(pieces[1]?.buffer as ArrayBuffer);
    });
  });

  test("with allowHalfOpen, the end of the client's data leaves the socket writable", async () => {
    await withPair({}, async ({ server, client, seen }) => {
      client.end();
      await waitFor("the end", () => server.events.includes("end"));
      const socket = await server.socket();
      expect(socket.write("late")).toBe(4);
      await waitFor("the answer", () => seen.length > 0);
      expect(server.events).toEqual(["open", "end"]);
      socket.end();
      await waitFor("the client's end", () => seen.includes("end"));
      expect(seen).toEqual(["late", "end"]);
    });
  });
});

describe("Bun's sockets, writing", () => {
  test("write() says how much the kernel took, keeps nothing, and drain tells when there is room", async () => {
    let drains = 0;
    await withPair({ drain: () => void drains++ }, async ({ server, client, seen }) => {
      client.pause();
      const socket = await server.socket();
      const bytes = Buffer.alloc(20_000_000);
      const written = socket.write(bytes);
      expect(written).toBeGreaterThan(0);
      expect(written).toBeLessThan(bytes.length);
      expect(socket.write(bytes.subarray(written))).toBe(0);
      const drainsBefore = drains;
      client.resume();
      await waitFor("the drain", () => drains > drainsBefore);
      socket.end();
      await waitFor("the end", () => seen.includes("end"));
      expect(client.bytesRead).toBe(written);
    });
  });

  test("write() takes offset and length", async () => {
    await withPair({}, async ({ server, seen }) => {
      expect((await server.socket()).write(Buffer.from("abcdef"), 1, 3)).toBe(3);
      await waitFor("the data", () => seen.length > 0);
      expect(seen).toEqual(["bcd"]);
    });
  });

  test("a socket that is closed answers -1 to write() and lets everything else be done to it", async () => {
    await withPair({}, async ({ server }) => {
      const socket = await server.socket();
      socket.terminate();
      expect(socket.write("x")).toBe(-1);
      socket.pause();
      socket.resume();
      socket.shutdown();
      socket.end();
      socket.terminate();
      expect(server.events).toEqual(["open", "close"]);
    });
  });
});

describe("Bun's sockets, closing", () => {
  test("shutdown() sends the end and goes on reading; end() afterwards closes", async () => {
    await withPair({}, async ({ server, client, seen }) => {
      const socket = await server.socket();
      socket.write("bye");
      socket.shutdown();
      await waitFor("the client's end", () => seen.includes("end"));
      expect(seen).toEqual(["bye", "end"]);
      client.write("more");
      await waitFor("what the client sent then", () => server.events.length > 1);
      expect(server.events).toEqual(["open", "data 4"]);
      socket.end();
      expect(server.events).toEqual(["open", "data 4", "close"]);
    });
  });

  test("after shutdown(), the end of the client's data closes the socket without telling the end", async () => {
    await withPair({}, async ({ server, client }) => {
      (await server.socket()).shutdown();
      client.end();
      await waitFor("the close", () => server.events.length > 1);
      expect(server.events).toEqual(["open", "close"]);
    });
  });

  test("end() closes at once, calling close before it returns; what was written still arrives", async () => {
    await withPair({}, async ({ server, client, seen }) => {
      const socket = await server.socket();
      socket.write("bye");
      socket.end();
      expect(server.events).toEqual(["open", "close"]);
      await waitFor("the client's end", () => seen.includes("end"));
      expect(seen).toEqual(["bye", "end"]);
      expect(client.bytesRead).toBe(3);
    });
  });

  test("end() with bytes unread resets the connection under its client", async () => {
    await withPair({ open: (socket) => socket.pause() }, async ({ server, client, seen }) => {
      client.write("never read");
      await Bun.sleep(QUIET_MS);
      (await server.socket()).end();
      await waitFor("the reset", () => seen.length > 0);
      expect(seen).toEqual(["ECONNRESET"]);
    });
  });

  test("terminate() resets, calling close before it returns", async () => {
    await withPair({}, async ({ server, seen }) => {
      (await server.socket()).terminate();
      expect(server.events).toEqual(["open", "close"]);
      await waitFor("the reset", () => seen.length > 0);
      expect(seen).toEqual(["ECONNRESET"]);
    });
  });

  test("an exception in a handler is told to the error handler, and leaves the socket open", async () => {
    const fail = (): never => {
      throw new Error("boom");
    };
    await withPair({ end: fail }, async ({ server, client }) => {
      client.end();
      await waitFor("the error", () => server.events.includes("error boom"));
      expect(server.events).toEqual(["open", "end", "error boom"]);
    });
  });
});
