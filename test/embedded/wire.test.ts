import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { RawConnection } from "../support/raw-http.ts";
import { startRealAndOwn } from "./real-and-own.ts";

const PUT = "PUT /metrics/job/wire HTTP/1.1\r\nHost: h\r\n";
const LENGTH = "Content-Length: 4\r\n";
const CHUNKED = "Transfer-Encoding: chunked\r\n";

/** Requests as no HTTP library sends them, or only some. The body is always meant to be `x 1`. */
const REQUESTS: readonly (readonly [what: string, bytes: string])[] = [
  ["a body of a known length", `${PUT}${LENGTH}\r\nx 1\n`],
  ["a body in chunks", `${PUT}${CHUNKED}\r\n2\r\nx \r\n2\r\n1\n\r\n0\r\n\r\n`],
  ["chunks with extensions and trailers", `${PUT}${CHUNKED}\r\n4;a=b\r\nx 1\n\r\n0\r\nT: t\r\n\r\n`],
  ["a chunk whose size is none", `${PUT}${CHUNKED}\r\nz\r\nx 1\n\r\n0\r\n\r\n`],
  ["a chunk that is longer than it says", `${PUT}${CHUNKED}\r\n2\r\nx 1\n\r\n0\r\n\r\n`],
  ["chunks without an end", `${PUT}${CHUNKED}\r\n4\r\nx 1\n\r\n`],
  ["a body that is shorter than it says", `${PUT}Content-Length: 9\r\n\r\nx 1\n`],
  ["the expectation of 100 Continue", `${PUT}${LENGTH}Expect: 100-continue\r\n\r\nx 1\n`],
  ["HTTP/1.0", `PUT /metrics/job/wire HTTP/1.0\r\n${LENGTH}\r\nx 1\n`],
  ["an absolute target", `PUT http://other:1/metrics/job/wire HTTP/1.1\r\nHost: h\r\n${LENGTH}\r\nx 1\n`],
  ["a method in small letters", `put /metrics/job/wire HTTP/1.1\r\nHost: h\r\n${LENGTH}\r\nx 1\n`],
  ["no Host", `PUT /metrics/job/wire HTTP/1.1\r\n${LENGTH}\r\nx 1\n`],
  ["two lengths", `${PUT}${LENGTH}Content-Length: 5\r\n\r\nx 1\n`],
  ["the same length twice", `${PUT}${LENGTH}${LENGTH}\r\nx 1\n`],
  ["a negative length", `${PUT}Content-Length: -4\r\n\r\nx 1\n`],
  ["a length with a plus sign", `${PUT}Content-Length: +4\r\n\r\nx 1\n`],
  ["a length and chunks", `${PUT}${LENGTH}${CHUNKED}\r\n4\r\nx 1\n\r\n0\r\n\r\n`],
  ["an encoding of the transfer that nobody knows", `${PUT}Transfer-Encoding: gzip\r\n\r\nx 1\n`],
  ["a blank before a colon", `${PUT}Content-Length : 4\r\n\r\nx 1\n`],
  ["a header over two lines", `${PUT}X-A: a\r\n b\r\n${LENGTH}\r\nx 1\n`],
  ["ends of lines without a carriage return", `PUT /metrics/job/wire HTTP/1.1\nHost: h\nContent-Length: 4\n\nx 1\n`],
  ["no HTTP", "hello\r\n\r\n"],
  ["a version of its own", `PUT /metrics/job/wire HTTP/3.7\r\nHost: h\r\n${LENGTH}\r\nx 1\n`],
  ["a blank in the target", `PUT /metrics/job/wire x HTTP/1.1\r\nHost: h\r\n${LENGTH}\r\nx 1\n`],
  ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"],
];

/** What ours refuses and Go takes: each of them is what two programs may read as two different requests (RFC 9112 §11.2). */
const STRICTER: readonly string[] = [
  "a length and chunks",
  "a header over two lines",
  "ends of lines without a carriage return",
];

interface Effect {
  readonly status: number | "none";
  readonly stored: boolean;
}

async function effectOf(url: string, bytes: string): Promise<Effect> {
  await fetch(`${url}/metrics/job/wire`, { method: "DELETE" });
  await using connection = await RawConnection.open(new URL(url).host);
  await connection.write(Buffer.from(bytes, "latin1"));
  connection.end();
  const status = await connection.readResponse().then(
    (response) => response.status,
    () => "none" as const,
  );
  // Answered once everything before it is done.
  await fetch(`${url}/metrics/job/barrier`, { method: "PUT" });
  const exposed = await (await fetch(`${url}/metrics`)).text();
  return { status, stored: exposed.includes('x{instance="",job="wire"} 1\n') };
}

await describeWithParts(["pushgateway-1.11.0"], "The embedded Pushgateway and 1.11.0", () => {
  const pair = startRealAndOwn();

  test.each(REQUESTS)("make the same of %s, unless ours refuses it on purpose", async (what, bytes) => {
    const [theirs, ours] = [await effectOf(pair.real.url, bytes), await effectOf(pair.own.url, bytes)];
    const isStricter = STRICTER.includes(what);
    expect(theirs).toEqual(isStricter ? { status: 200, stored: true } : ours);
    if (isStricter) expect(ours).toEqual({ status: 400, stored: false });
  });
});
