import { describe, expect, test } from "bun:test";
import { HeadReader, type ReadHead } from "./head-reader.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";

const HEAD = "PUT /a HTTP/1.1\r\nHost: b";

function textOf(read: ReadHead | undefined): string | undefined {
  return read?.data.toString("latin1", read.start, read.end);
}

/** Feeds pieces until a head is whole; returns it and all bytes behind it. */
function readPieces(
  reader: HeadReader,
  pieces: readonly Buffer[],
): { head: string | undefined; rest: string } | undefined {
  for (const [index, piece] of pieces.entries()) {
    const read = reader.read(piece);
    if (read === undefined) continue;
    const rest = Buffer.concat([read.data.subarray(read.offset), ...pieces.slice(index + 1)]);
    return { head: textOf(read), rest: rest.toString("latin1") };
  }
  return undefined;
}

function bytewise(text: string): Buffer[] {
  return Array.from(text, (byte) => Buffer.from(byte, "latin1"));
}

function statusOf(action: () => unknown): number | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof HttpSyntaxError) return error.status;
    throw error;
  }
  return undefined;
}

describe("HeadReader.read()", () => {
  test.each<[string, string, string]>([
    ["a head", `${HEAD}\r\n\r\n`, ""],
    ["a head with a body behind it", `${HEAD}\r\n\r\nbody\r\n\r\n`, "body\r\n\r\n"],
    ["a head behind an empty line", `\r\n${HEAD}\r\n\r\nx`, "x"],
    ["a head behind many empty lines", `${"\r\n".repeat(9)}${HEAD}\r\n\r\nx`, "x"],
  ])("reads %s, wherever it is split", (_what, text, rest) => {
    const whole = Buffer.from(text, "latin1");
    expect(readPieces(new HeadReader(100), [whole])).toEqual({ head: HEAD, rest });
    expect(readPieces(new HeadReader(100), bytewise(text))).toEqual({ head: HEAD, rest });
    for (let at = 1; at < text.length; at++) {
      const pieces = [whole.subarray(0, at), whole.subarray(at)];
      expect(readPieces(new HeadReader(100), pieces)).toEqual({ head: HEAD, rest });
    }
  });

  test("reads one head after the other", () => {
    const reader = new HeadReader(100);
    let rest: Buffer = Buffer.from("a\r\n\r\nb\r\n\r\n\r\nc\r\n\r\n");
    const heads: (string | undefined)[] = [];
    while (rest.length > 0) {
      const read = reader.read(rest) as ReadHead;
      heads.push(textOf(read));
      rest = read.data.subarray(read.offset);
    }
    expect(heads).toEqual(["a", "b", "c"]);
  });

  test("keeps the value of every byte", () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => byte !== 0x0a));
    const read = new HeadReader(1_000).read(Buffer.concat([bytes, Buffer.from("\r\n\r\n")]));
    expect(Buffer.from(textOf(read) ?? "", "latin1")).toEqual(bytes);
  });

  test("takes a head of the greatest length, and 431 for a byte more, wherever it is split", () => {
    const text = `${HEAD}\r\n\r\n`;
    const bytes = Buffer.from(text, "latin1");
    for (let at = 0; at < text.length; at++) {
      const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
      expect(readPieces(new HeadReader(HEAD.length), pieces)?.head).toBe(HEAD);
      expect(statusOf(() => readPieces(new HeadReader(HEAD.length - 1), pieces))).toBe(431);
    }
    expect(readPieces(new HeadReader(HEAD.length), bytewise(text))?.head).toBe(HEAD);
    expect(statusOf(() => readPieces(new HeadReader(HEAD.length - 1), bytewise(text)))).toBe(431);
  });

  test("answers 431 to a head without an end as soon as it is too long", () => {
    const reader = new HeadReader(10);
    let sent = 0;
    const status = statusOf(() => {
      for (; sent < 100; sent++) reader.read(Buffer.from("x"));
    });
    expect(status).toBe(431);
    expect(sent).toBe(13);
  });

  test.each(["GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "\nGET / HTTP/1.1\r\n", "\r\n\n"])(
    "answers 400 at once to %p, which never ends as we read it",
    (text) => {
      expect(statusOf(() => new HeadReader(100).read(Buffer.from(text)))).toBe(400);
      expect(statusOf(() => readPieces(new HeadReader(100), bytewise(text)))).toBe(400);
    },
  );

  test("has not started between heads, whatever empty lines come", () => {
    const reader = new HeadReader(100);
    expect(reader.started).toBe(false);
    reader.read(Buffer.from("\r\n\r\n"));
    expect(reader.started).toBe(false);
    reader.read(Buffer.from("\r"));
    expect(reader.started).toBe(true);
    reader.read(Buffer.from("\n"));
    expect(reader.started).toBe(false);
    reader.read(Buffer.from("G"));
    expect(reader.started).toBe(true);
    reader.read(Buffer.from("\r\n\r\n"));
    expect(reader.started).toBe(false);
  });

  // A reader that looked at everything again for each piece would take minutes.
  test.each<[string, string]>([
    ["one long line", "x".repeat(1 << 20)],
    ["many lines", `${"a: b\r\n".repeat(1 << 17)}c: d`],
    ["many empty lines first", `${"\r\n".repeat(1 << 18)}${"x".repeat(1 << 18)}`],
  ])("reads a head of %s that comes byte by byte, in linear time", (_what, text) => {
    const reader = new HeadReader(1 << 21);
    const all = Buffer.from(`${text}\r\n\r\n`);
    for (let i = 0; i < all.length - 1; i++) mustNotEnd(reader.read(all.subarray(i, i + 1)));
    expect(textOf(reader.read(all.subarray(-1)))).toBe(text.replace(/^(\r\n)+/, ""));
  });

  test.each(["", "\r"])("does not look again at empty lines that came in one piece, behind %p", (before) => {
    const reader = new HeadReader(1 << 21);
    reader.read(Buffer.from(before));
    const emptyLines = "\r\n".repeat(1 << 18);
    reader.read(Buffer.from(`${emptyLines.slice(before.length)}x`));
    for (let i = 0; i < 1 << 18; i++) mustNotEnd(reader.read(Buffer.from("x")));
    expect(textOf(reader.read(Buffer.from("\r\n\r\n")))).toHaveLength((1 << 18) + 1);
  });
});

/** `expect` itself would be most of the time of a loop this long. */
function mustNotEnd(read: ReadHead | undefined): void {
  if (read !== undefined)
    throw new Error(`Cannot go on: a head ended early, ${JSON.stringify(textOf(read)?.slice(0, 80))}`);
}
