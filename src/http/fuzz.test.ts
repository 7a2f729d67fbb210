import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createBodyDecoder } from "./body-decoder.ts";
import { CHUNKED_BODY } from "./framing.ts";
import { HeadReader } from "./head-reader.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { parseRequestHead, type RequestHead } from "./request-head.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";

/** The same cases on every machine; other ones with FUZZ_SEED, more with FUZZ_RUNS. */
const { FUZZ_SEED = "20261123", FUZZ_RUNS = "8000" } = process.env;
const runs: fc.Parameters<unknown> = { seed: Number(FUZZ_SEED), numRuns: Number(FUZZ_RUNS) };

/** What the parser makes of it; undefined when it refuses. Anything thrown but HttpSyntaxError gets out and fails the test. */
function accepted<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (error instanceof HttpSyntaxError) return undefined;
    throw error;
  }
}

/** Everything before the first empty line but such at the beginning, as a HeadReader finds it. */
function headOf(text: string): string {
  const bytes = Buffer.from(`${text}\r\n\r\n`, "latin1");
  const read = new HeadReader(bytes.length).read(bytes);
  return read === undefined ? "" : bytes.toString("latin1", read.start, read.end);
}

function parseRequest(head: string): RequestHead | undefined {
  return accepted(() => parseRequestHead(Buffer.from(`${head}\r\n\r\n`, "latin1"), 0, head.length));
}

function parseResponse(head: string, method: string): ResponseHead | undefined {
  return accepted(() => parseResponseHead(Buffer.from(`${head}\r\n\r\n`, "latin1"), 0, head.length, method));
}

const byteString = (maxLength: number) =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString("latin1"));
/** Bytes that matter to a parser, more often than chance would have them. */
const hostileText = (maxLength: number) =>
  fc
    .array(
      fc.constantFrom(
        "\r\n",
        "\r",
        "\n",
        "\0",
        " ",
        "\t",
        ":",
        ",",
        ";",
        "/",
        "0",
        "5",
        "a",
        "chunked",
        "\x85",
        "\xa0",
        "\xff",
      ),
      {
        maxLength,
      },
    )
    .map((parts) => parts.join(""));

const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
const fieldValue = fc.stringMatching(/^[\x21-\x7e\x80-\xff]([\x20-\x7e\x80-\xff\t]{0,20}[\x21-\x7e\x80-\xff])?$/);
const framingName = fc.constantFrom("Host", "content-length", "Transfer-Encoding", "connection", "EXPECT");
const framingValue = fc.constantFrom(
  "a",
  "5",
  "05",
  "6",
  "5, 5",
  "-1",
  "chunked",
  "gzip, chunked",
  "close",
  "keep-alive",
  "100-continue",
  "x-hop",
);
const field = fc
  .oneof(fc.tuple(token, fieldValue), fc.tuple(framingName, framingValue))
  .map(([name, value]) => `${name}: ${value}`);
const fields = fc.array(field, { maxLength: 6 });
const target = fc.stringMatching(/^\/[\x21-\x7e\x80-\xff]{0,30}$/);
const requestText = fc
  .tuple(
    fc.oneof(fc.constantFrom("PUT", "POST", "DELETE", "GET"), token),
    target,
    fc.constantFrom("1.1", "1.0", "1.9", "2.0"),
    fields,
  )
  .map(([method, path, version, lines]) => [`${method} ${path} HTTP/${version}`, "Host: a", ...lines].join("\r\n"));
const responseText = fc
  .tuple(fc.constantFrom("1.1", "1.0"), fc.integer({ min: 90, max: 610 }), fieldValue, fields)
  .map(([version, status, reason, lines]) => [`HTTP/${version} ${status} ${reason}`, ...lines].join("\r\n"));

/** A valid message in which a few places are replaced, by bytes or by something that matters. */
const mutated = (valid: fc.Arbitrary<string>) =>
  fc
    .tuple(
      valid,
      fc.array(fc.tuple(fc.nat(), fc.nat(4), fc.oneof(byteString(3), hostileText(3))), { minLength: 1, maxLength: 4 }),
    )
    .map(([text, edits]) => {
      let edited = text;
      for (const [place, removed, inserted] of edits) {
        const at = place % (edited.length + 1);
        edited = edited.slice(0, at) + inserted + edited.slice(at + removed);
      }
      return edited;
    });

const anything = (valid: fc.Arbitrary<string>) =>
  fc.oneof(byteString(200), hostileText(40), valid, mutated(valid), mutated(valid));
const anyHead = (valid: fc.Arbitrary<string>) => anything(valid).map(headOf);

/** Writes a head anew from what was understood of it. */
function rewritten(startLine: string, head: RequestHead | ResponseHead): string {
  return [startLine, ...Array.from(head.fields, ([name, value]) => `${name}: ${value}`)].join("\r\n");
}

function meaning(head: RequestHead | ResponseHead): unknown {
  return { ...head, fields: [...head.fields] };
}

describe("parseRequestHead(), given anything", () => {
  test("refuses with HttpSyntaxError, or understands what means the same when it is written anew", () => {
    let count = 0;
    const property = fc.property(anyHead(requestText), (text) => {
      const head = parseRequest(text);
      if (head === undefined) return;
      count++;
      const again = parseRequest(rewritten(`${head.method} ${head.target} HTTP/1.${head.minorVersion}`, head));
      expect(again).toBeDefined();
      expect(meaning(again as RequestHead)).toEqual(meaning(head));
    });
    fc.assert(property, runs);
    // Else it would be shown of next to nothing.
    expect(count).toBeGreaterThan((runs.numRuns as number) / 20);
  });

  test("accepts nothing that another parser could read as two messages, or as another one", () => {
    const property = fc.property(anyHead(requestText), (text) => {
      const head = parseRequest(text);
      if (head === undefined) return;
      const lines = text.split("\r\n");
      expect(text).not.toMatch(/\r(?!\n)|[^\r]\n|^\n|[^\t\r\n -~\x80-\xff]/);
      expect(lines).toHaveLength(1 + head.fields.count);
      const named = (name: string) => lines.slice(1).filter((line) => line.toLowerCase().startsWith(`${name}:`));
      if (named("transfer-encoding").length > 0) {
        expect(head.framing.kind).toBe("chunked");
        expect(named("content-length")).toEqual([]);
      } else {
        const lengths = named("content-length").map((line) => Number(line.slice(15)));
        expect(new Set(lengths).size).toBeLessThan(2);
        expect(head.framing).toEqual(lengths[0] ? { kind: "length", length: lengths[0] } : { kind: "none" });
      }
    });
    fc.assert(property, runs);
  });
});

describe("parseResponseHead(), given anything", () => {
  test("refuses with HttpSyntaxError 502, or understands what means the same when it is written anew", () => {
    let count = 0;
    const property = fc.property(anyHead(responseText), fc.constantFrom("PUT", "HEAD"), (text, method) => {
      const head = parseResponse(text, method);
      if (head === undefined) return;
      count++;
      const version = text.slice(0, "HTTP/1.1".length);
      const again = parseResponse(rewritten(`${version} ${head.status} ${head.reason}`, head), method);
      expect(again).toBeDefined();
      expect(meaning(again as ResponseHead)).toEqual(meaning(head));
    });
    fc.assert(property, runs);
    expect(count).toBeGreaterThan((runs.numRuns as number) / 20);
  });
});

describe("HeaderFields.copyEndToEnd(), given any head that is accepted", () => {
  test("passes on all fields but those of the connection, so that they mean the same to the next hop", () => {
    const property = fc.property(anyHead(requestText), (text) => {
      const head = parseRequest(text);
      if (head === undefined) return;
      const output = new OutputBuffer();
      head.fields.copyEndToEnd(output, head.connectionOptions);
      const lines = output.view().toString("latin1");
      const next = parseRequest(`PUT / HTTP/1.1\r\nHost: next\r\n${lines}Via: here`);
      const isPassedOn = ([name]: [string, string]) => !OWN_TO_EACH_HOP.includes(name.toLowerCase());
      const isNamed = ([name]: [string, string]) => head.connectionOptions.includes(name.toLowerCase());
      const expected = [...head.fields].filter((one) => isPassedOn(one) && !isNamed(one));
      expect([...(next as RequestHead).fields]).toEqual([["Host", "next"], ...expected, ["Via", "here"]]);
    });
    fc.assert(property, runs);
  });
});

const OWN_TO_EACH_HOP = [
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "expect",
  "keep-alive",
  "te",
  "trailer",
  "upgrade",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
];

/** Cuts bytes into copies of pieces of these lengths, over and over; a decoder may overwrite what it is given. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const length = lengths[i % lengths.length] ?? bytes.length;
    pieces.push(Buffer.from(bytes.subarray(at, at + length)));
    at += length;
  }
  return pieces;
}

const pieceLengths = fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 5 });

describe("HeadReader, given anything in any pieces", () => {
  test("finds the same requests, or a fault in the same place, as in one piece", () => {
    const bytes = fc
      .oneof(
        byteString(60),
        hostileText(30),
        fc.array(requestText, { maxLength: 3 }).map((all) => all.join("\r\n\r\n")),
      )
      .map((text) => Buffer.from(text, "latin1"));
    const property = fc.property(bytes, pieceLengths, (input, lengths) => {
      expect(headsIn(cut(input, lengths))).toEqual(headsIn([input]));
    });
    fc.assert(property, runs);
  });
});

/** All requests, and `refused` behind them if there is a fault. */
function headsIn(pieces: readonly Buffer[]): unknown[] {
  const reader = new HeadReader(120);
  const heads: unknown[] = [];
  try {
    for (const piece of pieces) {
      let read = reader.read(piece);
      while (read !== undefined) {
        heads.push(meaning(parseRequestHead(read.data, read.start, read.end)));
        read = reader.read(read.data.subarray(read.offset));
      }
    }
  } catch (error) {
    if (!(error instanceof HttpSyntaxError)) throw error;
    heads.push("refused");
  }
  return heads;
}

interface DecodedChunks {
  readonly body: string;
  /** How many bytes belong to the body; -1 when they are refused. */
  readonly length: number;
}

function decodeChunks(pieces: readonly Buffer[]): DecodedChunks {
  const decoder = createBodyDecoder(CHUNKED_BODY);
  let body = "";
  let length = 0;
  try {
    for (const piece of pieces) {
      if (decoder.done) break;
      const offset = decoder.decode(piece, 0, { onData: (chunk) => (body += chunk.toString("latin1")) });
      length += offset;
    }
  } catch (error) {
    if (!(error instanceof HttpSyntaxError)) throw error;
    return { body: "", length: -1 };
  }
  return { body, length };
}

describe("the decoder of chunks, given anything in any pieces", () => {
  const chunk = fc.tuple(byteString(40), fc.constantFrom("", ";a", ' ;b="c d"', ";=")).filter(([data]) => data !== "");
  const chunkedBody = fc.array(chunk, { maxLength: 6 }).map((chunks) => {
    const framed = chunks.map(([data, extension]) => `${data.length.toString(16)}${extension}\r\n${data}\r\n`);
    return { data: chunks.map(([data]) => data).join(""), text: `${framed.join("")}0\r\n\r\n` };
  });

  test("gives back what was put into chunks, and leaves what lies behind them", () => {
    const property = fc.property(chunkedBody, hostileText(5), pieceLengths, ({ data, text }, behind, lengths) => {
      const decoded = decodeChunks(cut(Buffer.from(text + behind, "latin1"), lengths));
      expect(decoded).toEqual({ body: data, length: text.length });
    });
    fc.assert(property, runs);
  });

  test("says the same of the same bytes, however they are cut", () => {
    const valid = chunkedBody.map(({ text }) => text);
    const property = fc.property(anything(valid), pieceLengths, (text, lengths) => {
      const bytes = Buffer.from(text, "latin1");
      expect(decodeChunks(cut(bytes, lengths))).toEqual(decodeChunks(cut(bytes, [])));
    });
    fc.assert(property, runs);
  });
});
