import { describe, expect, test } from "bun:test";
import { type BodyDecoder, createBodyDecoder } from "./body-decoder.ts";
import { BODY_UNTIL_CLOSE, type BodyFraming, CHUNKED_BODY, NO_BODY } from "./framing.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";

interface Decoded {
  readonly body: string;
  /** Bytes behind the body. */
  readonly rest: string;
  readonly done: boolean;
}

/** Decodes copies of the pieces, since a decoder may overwrite what it has read. */
function decodePieces(decoder: BodyDecoder, pieces: readonly Buffer[]): Decoded {
  const body: Buffer[] = [];
  const rest: Buffer[] = [];
  for (const piece of pieces) {
    const data = Buffer.from(piece);
    let calls = 0;
    const offset = decoder.done
      ? 0
      : decoder.decode(data, 0, {
          onData: (chunk) => {
            calls++;
            expect(chunk.length).toBeGreaterThan(0);
            body.push(Buffer.from(chunk));
          },
        });
    expect(calls).toBeLessThanOrEqual(1);
    if (!decoder.done) expect(offset).toBe(data.length);
    rest.push(data.subarray(offset));
  }
  return {
    body: Buffer.concat(body).toString("latin1"),
    rest: Buffer.concat(rest).toString("latin1"),
    done: decoder.done,
  };
}

/** Decodes in one piece, split in two at every place, and byte by byte; all must agree. */
function decode(framing: BodyFraming, text: string): Decoded {
  const bytes = Buffer.from(text, "latin1");
  const whole = decodePieces(createBodyDecoder(framing), [bytes]);
  for (let at = 1; at < bytes.length; at++) {
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
    expect(decodePieces(createBodyDecoder(framing), pieces)).toEqual(whole);
  }
  const single = Array.from(bytes, (byte) => Buffer.from([byte]));
  expect(decodePieces(createBodyDecoder(framing), single)).toEqual(whole);
  return whole;
}

/** The fault found, which must be found wherever the bytes are split. */
function faultIn(text: string): string {
  const bytes = Buffer.from(text, "latin1");
  const splits = [[bytes], Array.from(bytes, (byte) => Buffer.from([byte]))];
  for (let at = 1; at < bytes.length; at++) splits.push([bytes.subarray(0, at), bytes.subarray(at)]);
  const faults = splits.map((pieces) => {
    try {
      decodePieces(createBodyDecoder(CHUNKED_BODY), pieces);
    } catch (error) {
      if (!(error instanceof HttpSyntaxError)) throw error;
      expect(error.status).toBe(400);
      return error.message;
    }
    throw new Error(`Cannot find a fault in ${JSON.stringify(text)}: it was accepted`);
  });
  return faults[0] as string;
}

describe("createBodyDecoder() for no body", () => {
  test("is done before it begins", () => {
    const decoder = createBodyDecoder(NO_BODY);
    expect(decoder.done).toBe(true);
    expect(decoder.finish()).toBe(true);
    expect(decode(NO_BODY, "next")).toEqual({ body: "", rest: "next", done: true });
  });
});

describe("createBodyDecoder() for a length", () => {
  test.each<[string, Decoded]>([
    ["abcde", { body: "abcde", rest: "", done: true }],
    ["abcdefg", { body: "abcde", rest: "fg", done: true }],
    ["abcd", { body: "abcd", rest: "", done: false }],
  ])("reads five bytes of %p", (text, decoded) => {
    expect(decode({ kind: "length", length: 5 }, text)).toEqual(decoded);
  });

  test("is not whole when the connection ends before it", () => {
    const decoder = createBodyDecoder({ kind: "length", length: 5 });
    decodePieces(decoder, [Buffer.from("abcd")]);
    expect(decoder.finish()).toBe(false);
    decodePieces(decoder, [Buffer.from("e")]);
    expect(decoder.finish()).toBe(true);
  });

  test("begins at the offset that it is given", () => {
    const chunks: string[] = [];
    const decoder = createBodyDecoder({ kind: "length", length: 2 });
    const offset = decoder.decode(Buffer.from("head|abnext"), 5, { onData: (chunk) => chunks.push(chunk.toString()) });
    expect({ chunks, offset }).toEqual({ chunks: ["ab"], offset: 7 });
  });
});

describe("createBodyDecoder() until the connection closes", () => {
  test("takes everything, and is whole only when the connection has ended", () => {
    const decoder = createBodyDecoder(BODY_UNTIL_CLOSE);
    expect(decodePieces(decoder, [Buffer.from("ab"), Buffer.from("cd")])).toMatchObject({ body: "abcd", done: false });
    expect(decoder.finish()).toBe(true);
    expect(decoder.done).toBe(true);
  });
});

describe("createBodyDecoder() for chunks", () => {
  test.each<[string, string, Decoded]>([
    ["an empty body", "0\r\n\r\n", { body: "", rest: "", done: true }],
    ["one chunk", "5\r\nabcde\r\n0\r\n\r\n", { body: "abcde", rest: "", done: true }],
    ["several chunks", "1\r\na\r\n3\r\nbcd\r\n2\r\nef\r\n0\r\n\r\n", { body: "abcdef", rest: "", done: true }],
    [
      "chunks that look like framing",
      "4\r\n\r\n0\r\r\n2\r\n\r\n\r\n0\r\n\r\n",
      {
        body: "\r\n0\r\r\n",
        rest: "",
        done: true,
      },
    ],
    [
      "sizes in either case, with leading zeros",
      "00A\r\n0123456789\r\nb\r\n0123456789a\r\n000\r\n\r\n",
      {
        body: "01234567890123456789a",
        rest: "",
        done: true,
      },
    ],
    [
      "extensions",
      '1;a\r\nx\r\n1;b=c;d="e f\tg"\r\ny\r\n1 \t; h\r\nz\r\n0;i\r\n\r\n',
      {
        body: "xyz",
        rest: "",
        done: true,
      },
    ],
    ["trailers", "1\r\na\r\n0\r\nX: y\r\nZ:\r\n\r\n", { body: "a", rest: "", done: true }],
    ["what follows it", "1\r\na\r\n0\r\n\r\nPUT / HTTP/1.1", { body: "a", rest: "PUT / HTTP/1.1", done: true }],
    ["a body without its last chunk", "1\r\na\r\n", { body: "a", rest: "", done: false }],
    ["a body without the end of its trailers", "0\r\nX: y\r\n", { body: "", rest: "", done: false }],
  ])("reads %s, wherever it is split", (_what, text, decoded) => {
    expect(decode(CHUNKED_BODY, text)).toEqual(decoded);
  });

  test("is not whole when the connection ends before its last byte", () => {
    const text = "2\r\nab\r\n0\r\n\r\n";
    for (let length = 0; length <= text.length; length++) {
      const decoder = createBodyDecoder(CHUNKED_BODY);
      decodePieces(decoder, [Buffer.from(text.slice(0, length))]);
      expect(decoder.finish()).toBe(length === text.length);
    }
  });

  test.each<[string, string, string]>([
    ["an empty size", "\r\na", "bad chunk size"],
    ["no size before an extension", ";a\r\n", "bad chunk size"],
    ["a sign", "+1\r\n", "bad chunk size"],
    ["a prefix", "0x1\r\n", "bad chunk size"],
    ["a letter beyond F", "1g\r\n", "bad chunk size"],
    ["an underscore", "1_0\r\n", "bad chunk size"],
    ["a blank before the size", " 1\r\n", "bad chunk size"],
    ["a blank behind the size", "1 \r\n", "bad chunk size"],
    ["a size of 53 bits and more", "10000000000000\r\n", "bad chunk size"],
    ["a bare LF behind the size", "1\na", "line does not end in CRLF"],
    ["a bare CR in an extension", "1;\ra\r\n", "bad chunk size"],
    ["a bare LF in an extension", "1;\na\r\n", "line does not end in CRLF"],
    ["more data than the size", "1\r\nab\r\n0\r\n\r\n", "chunk longer than its size"],
    ["a size right behind the data", "1\r\na5\r\nbcdef\r\n", "chunk longer than its size"],
    ["a bare LF behind the data", "1\r\na\n0\r\n\r\n", "line does not end in CRLF"],
    ["a bare LF in the trailers", "0\r\nX: y\n\r\n", "line does not end in CRLF"],
    ["a bare LF for the last line", "0\r\n\n", "line does not end in CRLF"],
  ])("refuses %s, wherever it is split", (_what, text, fault) => {
    expect(faultIn(text)).toBe(`Malformed chunked body: ${fault}`);
  });

  test("takes a line of 4096 bytes, and no longer one", () => {
    const extension = (length: number) => `1;${"x".repeat(length - 4)}\r\na\r\n0\r\n\r\n`;
    const decoder = createBodyDecoder(CHUNKED_BODY);
    expect(decodePieces(decoder, [Buffer.from(extension(4096))])).toMatchObject({ body: "a", done: true });
    const tooLong = () => decodePieces(createBodyDecoder(CHUNKED_BODY), [Buffer.from(extension(4097))]);
    expect(tooLong).toThrow("line too long");
    const endless = () => decodePieces(createBodyDecoder(CHUNKED_BODY), [Buffer.alloc(4097, "1")]);
    expect(endless).toThrow("line too long");
  });

  test("takes 16 KiB of trailers, and no more", () => {
    const trailers = (lines: number) => Buffer.from(`0\r\n${`X: ${"y".repeat(1019)}\r\n`.repeat(lines)}\r\n`);
    expect(decodePieces(createBodyDecoder(CHUNKED_BODY), [trailers(15)]).done).toBe(true);
    expect(() => decodePieces(createBodyDecoder(CHUNKED_BODY), [trailers(17)])).toThrow("trailers too long");
  });

  test("takes a body in chunks of one byte, but not one that is nearly all extensions", () => {
    const body = (extension: string) => Buffer.from(`${`1${extension}\r\na\r\n`.repeat(20_000)}0\r\n\r\n`);
    const decoded = decodePieces(createBodyDecoder(CHUNKED_BODY), [body("")]);
    expect(decoded.body).toHaveLength(20_000);
    expect(() => decodePieces(createBodyDecoder(CHUNKED_BODY), [body(`;${"x".repeat(100)}`)])).toThrow(
      "too much besides data",
    );
  });

  test("leaves what follows the body as it is", () => {
    const data = Buffer.from("1\r\na\r\n1\r\nb\r\n0\r\n\r\nnext request");
    const offset = createBodyDecoder(CHUNKED_BODY).decode(data, 0, { onData: () => {} });
    expect(data.toString("latin1", offset)).toBe("next request");
  });
});
