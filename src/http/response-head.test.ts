import { describe, expect, test } from "bun:test";
import { BODY_UNTIL_CLOSE, type BodyFraming, CHUNKED_BODY, NO_BODY } from "./framing.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import { parseResponseHead, type ResponseHead } from "./response-head.ts";

function head(...lines: string[]): string {
  return lines.join("\r\n");
}

function parse(text: string, method: string): ResponseHead {
  return parseResponseHead(Buffer.from(`${text}\r\n\r\n`, "latin1"), 0, text.length, method);
}

const FIVE_BYTES: BodyFraming = { kind: "length", length: 5 };

describe("parseResponseHead()", () => {
  test("reads an answer with its fields as they were spelled", () => {
    const { fields, ...rest } = parse(head("HTTP/1.1 202 Accepted it", "Content-length: 0", "X:y"), "PUT");
    expect([...fields]).toEqual([
      ["Content-length", "0"],
      ["X", "y"],
    ]);
    expect(rest).toEqual({
      status: 202,
      reason: "Accepted it",
      connectionOptions: [],
      framing: NO_BODY,
      keepAlive: true,
    });
  });

  test.each<[string, string]>([
    ["HTTP/1.1 200", ""],
    ["HTTP/1.1 200 ", ""],
    ["HTTP/1.1 200  two blanks", " two blanks"],
    ["HTTP/1.1 200 \xe9\t\xff", "\xe9\t\xff"],
  ])("reads the reason of %p as %p", (line, reason) => {
    expect(parse(line, "GET")).toMatchObject({ status: 200, reason });
  });

  test.each<[string, string, string, string[], BodyFraming, boolean]>([
    ["a length", "GET", "HTTP/1.1 200 OK", ["Content-Length: 5"], FIVE_BYTES, true],
    ["chunks", "GET", "HTTP/1.1 200 OK", ["Transfer-Encoding: chunked"], CHUNKED_BODY, true],
    ["neither", "GET", "HTTP/1.1 200 OK", [], BODY_UNTIL_CLOSE, false],
    ["neither, in spite of keep-alive", "GET", "HTTP/1.1 200 OK", ["Connection: keep-alive"], BODY_UNTIL_CLOSE, false],
    ["an announced close", "GET", "HTTP/1.1 200 OK", ["Content-Length: 5", "Connection: close"], FIVE_BYTES, false],
    ["HTTP/1.0", "GET", "HTTP/1.0 200 OK", ["Content-Length: 5"], FIVE_BYTES, false],
    [
      "HTTP/1.0 with keep-alive",
      "GET",
      "HTTP/1.0 200 OK",
      ["Content-Length: 5", "Connection: keep-alive"],
      FIVE_BYTES,
      true,
    ],
    ["HEAD with a length", "HEAD", "HTTP/1.1 200 OK", ["Content-Length: 5"], NO_BODY, true],
    ["HEAD with chunks", "HEAD", "HTTP/1.1 200 OK", ["Transfer-Encoding: chunked"], NO_BODY, true],
    ["HEAD with neither", "HEAD", "HTTP/1.1 200 OK", [], NO_BODY, true],
    ["100", "PUT", "HTTP/1.1 100 Continue", [], NO_BODY, true],
    ["204", "PUT", "HTTP/1.1 204 No Content", [], NO_BODY, true],
    ["204 that says 0", "PUT", "HTTP/1.1 204 No Content", ["Content-Length: 0"], NO_BODY, true],
    ["204 that may send a body", "PUT", "HTTP/1.1 204 No Content", ["Content-Length: 5"], NO_BODY, false],
    ["204 that may send chunks", "PUT", "HTTP/1.1 204 No Content", ["Transfer-Encoding: chunked"], NO_BODY, false],
    ["304 with the length it would have", "GET", "HTTP/1.1 304 Not Modified", ["Content-Length: 5"], NO_BODY, true],
  ])("frames %s", (_what, method, line, lines, framing, keepAlive) => {
    expect(parse(head(line, ...lines), method)).toMatchObject({ framing, keepAlive });
  });

  test.each<[string, string]>([
    ["nothing", ""],
    ["garbage", "SSH-2.0-OpenSSH_9.2"],
    ["HTTP/2", "HTTP/2 200"],
    ["a request", "GET / HTTP/1.1"],
    ["a status of two digits", "HTTP/1.1 20 OK"],
    ["a status of four digits", "HTTP/1.1 2000 OK"],
    ["a status below 100", "HTTP/1.1 099 OK"],
    ["no blank behind the status", "HTTP/1.1 200OK"],
    ["a tab for a blank", "HTTP/1.1\t200 OK"],
    ["a bare LF", "HTTP/1.1 200 OK\nX: y"],
    ["a bare CR", "HTTP/1.1 200 OK\rX: y"],
    ["a NUL", "HTTP/1.1 200 O\0K"],
    ["a line without a colon", head("HTTP/1.1 200 OK", "X")],
    ["a folded line", head("HTTP/1.1 200 OK", "X: y", " z")],
    ["both lengths", head("HTTP/1.1 200 OK", "Content-Length: 5", "Transfer-Encoding: chunked")],
    ["different lengths", head("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6")],
    ["a bad length", head("HTTP/1.1 200 OK", "Content-Length: five")],
    ["another encoding", head("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked")],
    ["chunks in HTTP/1.0", head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked")],
    ["bad framing of an answer without a body", head("HTTP/1.1 204 No Content", "Content-Length: x")],
  ])("calls %s a bad gateway", (_what, text) => {
    let thrown: unknown;
    try {
      parse(text, "GET");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(HttpSyntaxError);
    expect((thrown as HttpSyntaxError).status).toBe(502);
  });
});
