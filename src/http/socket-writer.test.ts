import { describe, expect, test } from "bun:test";
import { OutputBuffer } from "./output-buffer.ts";
import { SocketWriter } from "./socket-writer.ts";

/** A kernel that takes so many bytes of each write as it is told; a closed socket says -1, as Bun's does. */
class StintingSocket {
  takes: number[] = [];
  received = "";
  writes = 0;

  write(bytes: Buffer, start = 0, length = bytes.length - start): number {
    this.writes++;
    const taken = Math.min(this.takes.shift() ?? length, length);
    if (taken > 0) this.received += bytes.toString("latin1", start, start + taken);
    return taken;
  }
}

function writerOn(...takes: number[]): { socket: StintingSocket; writer: SocketWriter } {
  const socket = new StintingSocket();
  socket.takes = takes;
  return { socket, writer: new SocketWriter(socket as unknown as ConstructorParameters<typeof SocketWriter>[0]) };
}

describe("SocketWriter", () => {
  test("hands bytes straight to the socket while it takes them", () => {
    const { socket, writer } = writerOn();
    expect(writer.write(Buffer.from("ab"))).toBe(true);
    expect(writer.write(Buffer.from("cd"))).toBe(true);
    expect(writer.isEmpty).toBe(true);
    expect(socket.received).toBe("abcd");
  });

  test("sends everything in order, however little the socket takes at a time", () => {
    const pieces = ["ab", "c", "defg", "", "hij"];
    for (let take = 1; take <= 4; take++) {
      const { socket, writer } = writerOn(...Array.from({ length: 40 }, () => take));
      for (const piece of pieces) writer.write(Buffer.from(piece));
      let flushes = 0;
      while (!writer.flush()) if (flushes++ > 40) throw new Error("Cannot flush: no end of it");
      expect(socket.received).toBe("abcdefghij");
      expect(writer.isEmpty).toBe(true);
    }
  });

  test("does not try the socket again before it has drained", () => {
    const { socket, writer } = writerOn(1);
    expect(writer.write(Buffer.from("ab"))).toBe(false);
    expect(writer.write(Buffer.from("cd"))).toBe(false);
    expect(socket.writes).toBe(1);
    expect(writer.isEmpty).toBe(false);
    expect(writer.flush()).toBe(true);
    expect(socket.received).toBe("abcd");
  });

  test.each([0, -1])("keeps all when the socket answers %p", (answer) => {
    const { socket, writer } = writerOn(answer, answer);
    expect(writer.write(Buffer.from("ab"))).toBe(false);
    expect(writer.flush()).toBe(false);
    expect(socket.received).toBe("");
    expect(writer.flush()).toBe(true);
    expect(socket.received).toBe("ab");
  });

  test("keeps a copy of what the socket does not take of a buffer that is used again", () => {
    const { socket, writer } = writerOn(1, 0);
    const output = new OutputBuffer();
    for (const message of ["abc", "def", ""]) {
      output.clear();
      output.addText(message);
      expect(writer.writeOutput(output)).toBe(message === "");
    }
    output.clear();
    output.addText("xyz");
    expect(socket.received).toBe("a");
    expect(writer.flush()).toBe(false);
    expect(writer.flush()).toBe(true);
    expect(writer.writeOutput(output)).toBe(true);
    expect(socket.received).toBe("abcdefxyz");
  });

  test("flushes a very long queue", () => {
    const { socket, writer } = writerOn(0, 0);
    for (let i = 0; i < 300_000; i++) writer.write(Buffer.from("x"));
    expect(writer.flush()).toBe(false);
    expect(writer.flush()).toBe(true);
    expect(socket.received).toHaveLength(300_000);
  });
});
