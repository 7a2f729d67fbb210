import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { listen } from "./listen.ts";

const socket = { data: () => {} };

describe("listen()", () => {
  test("accepts on every interface when the host name is empty", async () => {
    const listener = listen({ hostname: "", port: 0, socket });
    for (const host of ["127.0.0.1", "127.0.0.2"]) {
      const client = connect({ host, port: listener.port });
      await once(client, "connect");
      client.destroy();
    }
    listener.stop(true);
  });

  test("names the address and the remedy when another program has it", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as { port: number };
    expect(() => listen({ hostname: "127.0.0.1", port, socket })).toThrow(
      `Cannot listen on "127.0.0.1:${port}": another program listens there; stop it or choose another port`,
    );
    other.close();
  });

  test.each([
    ["203.0.113.1", 'Cannot listen on "203.0.113.1:0": this machine does not have that address'],
    ["2001:db8::1", 'Cannot listen on "[2001:db8::1]:0": '],
    ["none.invalid", 'Cannot listen on "none.invalid:0": Failed to listen at none.invalid'],
  ])("says why it cannot listen on %s", (hostname, message) => {
    expect(() => listen({ hostname, port: 0, socket })).toThrow(message);
  });
});
