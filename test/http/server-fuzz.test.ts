import { expect, test } from "bun:test";
import fc from "fast-check";
import { createBodyDecoder } from "../../src/http/body-decoder.ts";
import { HeadReader } from "../../src/http/head-reader.ts";
import { parseResponseHead } from "../../src/http/response-head.ts";
import type { HttpExchange } from "../../src/http/server-exchange.ts";
import { RawConnection } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";
import { begin, RecordingReceiver, settle, TestServer } from "./http-fixture.ts";

/** The same cases on every machine; other ones with FUZZ_SEED, more with FUZZ_RUNS. */
const { FUZZ_SEED = "20261123", FUZZ_RUNS = "400" } = process.env;

/** What a handler may do with a request; its target names the way. */
const WAYS: Readonly<Record<string, (exchange: HttpExchange, receiver: RecordingReceiver) => void>> = {
  "/echo": (exchange, receiver) => exchange.receiveBody(receiver),
  "/later": (exchange, receiver) => void settle().then(() => exchange.receiveBody(receiver)),
  "/pausing": (exchange, receiver) => {
    exchange.receiveBody(receiver);
    exchange.pauseBody();
    void settle().then(() => exchange.resumeBody());
  },
  "/early": (exchange, receiver) => {
    exchange.receiveBody(receiver);
    exchange.respondText(403, "no\n");
  },
  "/deaf": (exchange) => exchange.respondText(403, "no\n"),
  "/deaf-later": (exchange) => void settle().then(() => exchange.respondText(403, "no\n")),
  "/stream": (exchange, receiver) => {
    begin(exchange, "unknown-length");
    exchange.write(Buffer.from("begun "));
    exchange.receiveBody(receiver);
  },
  "/abort": (exchange, receiver) => {
    exchange.receiveBody(receiver);
    exchange.abort();
  },
};

const body = fc.stringMatching(/^[a-z\r\n]{0,20}$/);
const framedBody = fc.oneof(
  body.map((text) => `Content-Length: ${text.length}\r\n\r\n${text}`),
  body.map((text) => `Content-Length: ${text.length + 1}\r\n\r\n${text}`),
  fc.array(body, { maxLength: 3 }).map((texts) => {
    const chunks = texts.filter((text) => text !== "").map((text) => `${text.length.toString(16)}\r\n${text}\r\n`);
    return `Transfer-Encoding: chunked\r\n\r\n${chunks.join("")}0\r\n\r\n`;
  }),
  fc.constant("\r\n"),
);
const requestText = fc
  .tuple(
    fc.constantFrom("PUT", "HEAD", "GET"),
    fc.constantFrom(...Object.keys(WAYS)),
    fc.constantFrom(
      "HTTP/1.1\r\nHost: a\r\n",
      "HTTP/1.0\r\n",
      "HTTP/1.0\r\nConnection: keep-alive\r\n",
      "HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n",
      "HTTP/1.1\r\nHost: a\r\nConnection: close\r\n",
    ),
    framedBody,
  )
  .map(([method, target, versionAndFields, rest]) => `${method} ${target} ${versionAndFields}${rest}`);
const edit = fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom("", "\r\n", "\n", " ", "0", "x", "\0"));
const conversation = fc
  .tuple(fc.array(requestText, { minLength: 1, maxLength: 4 }), fc.array(edit, { maxLength: 1 }))
  .map(([requests, edits]) => {
    let text = requests.join("");
    for (const [place, removed, inserted] of edits) {
      const at = place % (text.length + 1);
      text = text.slice(0, at) + inserted + text.slice(at + removed);
    }
    return text;
  });

test("HttpServer ends every conversation, tells each receiver one ending, and sends nothing but whole answers", async () => {
  const receivers: RecordingReceiver[] = [];
  const methods: string[] = [];
  let readable = 0;
  await using server = new TestServer((exchange) => {
    const receiver = new RecordingReceiver((ended) => {
      if (ended.endings[0] !== "end") return;
      if (exchange.isOpen) exchange.respondText(200, `${ended.body}\n`);
      exchange.write(ended.body);
      exchange.end();
    });
    const way = WAYS[exchange.head.target];
    methods.push(exchange.head.method);
    if (way === undefined) {
      exchange.respondText(404, "not found\n");
      return;
    }
    if (!exchange.head.target.startsWith("/deaf")) receivers.push(receiver);
    way(exchange, receiver);
  });
  const property = fc.asyncProperty(conversation, fc.integer({ min: 1, max: 60 }), async (text, pieceLength) => {
    receivers.length = 0;
    methods.length = 0;
    await using client = await RawConnection.open(server.address);
    for (let at = 0; at < text.length; at += pieceLength) {
      void client.write(Buffer.from(text.slice(at, at + pieceLength), "latin1"));
      if (at < 10 * pieceLength) await settle();
    }
    client.end();
    const ending = await client.ending();
    const answers = Buffer.from(await client.readToEnd());
    await waitFor("the end of the connection", () => server.http.connectionCount === 0, { intervalMs: 1 });
    for (const receiver of receivers) expect(receiver.endings).toHaveLength(1);
    // A handler that aborts, or a body that breaks under an answer that has begun, resets the connection.
    if (ending !== "closed") return;
    readable++;
    expect(() => readAnswers(answers, methods)).not.toThrow();
  });
  await fc.assert(property, { seed: Number(FUZZ_SEED), numRuns: Number(FUZZ_RUNS) });
  expect(readable).toBeGreaterThan(Number(FUZZ_RUNS) / 3);
}, 60_000);

/** Throws unless the bytes are whole answers, to requests of these methods, and perhaps a refusal behind them. */
function readAnswers(answers: Buffer, methods: readonly string[]): void {
  const reader = new HeadReader(65_536);
  let rest = answers;
  for (let i = 0; rest.length > 0; ) {
    const read = reader.read(rest);
    if (read === undefined)
      throw new Error(`Cannot read ${JSON.stringify(rest.toString("latin1"))}: a head without an end`);
    const head = parseResponseHead(read.data, read.start, read.end, methods[i] ?? "");
    rest = read.data.subarray(read.offset);
    if (head.status < 200) continue;
    i++;
    const decoder = createBodyDecoder(head.framing);
    rest = rest.subarray(decoder.decode(Buffer.from(rest), 0, { onData: () => {} }));
    if (!decoder.finish()) throw new Error(`Cannot read the answer ${head.status}: a body without an end`);
  }
}
