import { describe, expect, test } from "bun:test";
import { type BodyFraming, CHUNKED_BODY, NO_BODY } from "./framing.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import { keepsAlive, parseRequestHead, type RequestHead } from "./request-head.ts";

/** Joins lines as they are on the wire, without the empty line behind them. */
function head(...lines: string[]): string {
  return lines.join("\r\n");
}

function parse(text: string): RequestHead {
  const bytes = Buffer.from(`${text}\r\n\r\n`, "latin1");
  return parseRequestHead(bytes, 0, text.length);
}

function refusal(text: string): HttpSyntaxError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof HttpSyntaxError) return error;
    throw error;
  }
  throw new Error(`Cannot find a fault in ${JSON.stringify(text)}: it was accepted`);
}

describe("parseRequestHead()", () => {
  test("reads a push with its fields as they were spelled", () => {
    const parsed = parse(
      head(
        "PUT /metrics/job/a?x=1 HTTP/1.1",
        "hOsT: router:9292",
        "Content-Length: 12",
        "X-Twice:1",
        "X-Twice: \t2\t ",
        "X-Empty:",
      ),
    );
    const { fields, ...rest } = parsed;
    expect([...fields].map((field) => field.join("="))).toEqual([
      "hOsT=router:9292",
      "Content-Length=12",
      "X-Twice=1",
      "X-Twice=2",
      "X-Empty=",
    ]);
    expect(rest).toEqual({
      method: "PUT",
      target: "/metrics/job/a?x=1",
      minorVersion: 1,
      connectionOptions: [],
      framing: { kind: "length", length: 12 },
      keepAlive: true,
      expectsContinue: false,
    });
  });

  test.each<[string, string]>([
    ["/", "/"],
    ["/a//b/../%2e%2e/./c", "/a//b/../%2e%2e/./c"],
    ["/%zz%2F%2f", "/%zz%2F%2f"],
    ['/a\\b"<>{}|^`;+#f?q#g', '/a\\b"<>{}|^`;+#f?q#g'],
    ["/job/\xc3\xa9\xff", "/job/\xc3\xa9\xff"],
    ["//host/x", "//host/x"],
    ["http://other:1/metrics/job/a?q", "/metrics/job/a?q"],
    ["HTTPS://user@[::1]:80//x/../y", "//x/../y"],
    ["http://other", "/"],
    ["http://other?q", "/?q"],
    ["http://other#f", "/#f"],
  ])("gives the target %s as %s", (sent, target) => {
    expect(parse(head(`GET ${sent} HTTP/1.1`, "Host: a")).target).toBe(target);
  });

  test("takes an asterisk for a target from OPTIONS only", () => {
    expect(parse(head("OPTIONS * HTTP/1.1", "Host: a")).target).toBe("*");
    expect(refusal(head("GET * HTTP/1.1", "Host: a")).status).toBe(400);
  });

  test.each(["PURGE", "put", "M-SEARCH", "!#$%&'*+-.^_`|~0"])("takes any token as a method: %s", (method) => {
    expect(parse(head(`${method} / HTTP/1.1`, "Host: a")).method).toBe(method);
  });

  test.each<[number, string, string]>([
    [400, "nothing", ""],
    [400, "no target", "GET HTTP/1.1"],
    [400, "HTTP/0.9", "GET /"],
    [400, "two blanks", "GET  / HTTP/1.1"],
    [400, "a blank at the end", "GET / HTTP/1.1 "],
    [400, "a blank before it", " GET / HTTP/1.1"],
    [400, "no method", " / HTTP/1.1"],
    [400, "a tab behind the method", "GET\t/ HTTP/1.1"],
    [400, "a tab before the version", "GET /\tHTTP/1.1"],
    [400, "a blank in the target", "GET /a b HTTP/1.1"],
    [400, "a tab in the target", "GET /a\tb HTTP/1.1"],
    [400, "tabs for blanks", "GET\t/\tHTTP/1.1"],
    [400, "a method that is no token", "G(T / HTTP/1.1"],
    [400, "a lower-case version", "GET / http/1.1"],
    [400, "a version of two digits", "GET / HTTP/1.10"],
    [400, "a target without a slash", "GET metrics HTTP/1.1"],
    [400, "an authority for a target", "CONNECT host:80 HTTP/1.1"],
    [400, "an absolute target without a host", "GET http:///x HTTP/1.1"],
    [400, "an absolute target of another scheme", "GET ftp://h/x HTTP/1.1"],
    [400, "a backslash behind the host", "GET http://h\\x HTTP/1.1"],
    [505, "HTTP/2", "PRI / HTTP/2.0"],
    [505, "HTTP/0.9 by name", "GET / HTTP/0.9"],
  ])("answers %p to a request line with %s", (status, _what, line) => {
    expect(refusal(head(line, "Host: a")).status).toBe(status);
  });

  test("does not look for the parts of a request line in the lines behind it", () => {
    expect(refusal(head("GET", "Host: / HTTP/1.1")).status).toBe(400);
    expect(refusal(head("GET /", "Host: HTTP/1.1")).status).toBe(400);
  });

  test.each<[number, string, string[]]>([
    [400, "a blank before a colon", ["Host : a"]],
    [400, "a tab before a colon", ["Host\t: a"]],
    [400, "a folded line", ["Host: a", "X: b", " c"]],
    [400, "a folded first line", [" Host: a"]],
    [400, "a line without a colon", ["Host: a", "X"]],
    [400, "a line without a name", ["Host: a", ": x"]],
    [400, "an empty line", ["Host: a", "", "X: b"]],
    [400, "a name that is no token", ["Host: a", "X(Y): b"]],
    [400, "a name beyond ASCII", ["Host: a", "X\xe9: b"]],
    [400, "a bare LF", ["Host: a\nX: b"]],
    [400, "a bare CR", ["Host: a\rX: b"]],
    [400, "LF CR", ["Host: a\n\rX: b"]],
    [400, "a CR at the end", ["Host: a\r"]],
    [400, "an LF at the end", ["Host: a\n"]],
    [400, "a NUL", ["Host: a", "X: \0"]],
    [400, "a DEL", ["Host: a", "X: \x7f"]],
    [400, "a vertical tab", ["Host: a", "X: \x0b"]],
    [400, "no Host", ["X: b"]],
    [400, "two Hosts", ["Host: a", "Host: a"]],
    [400, "two Hosts in one", ["Host: a, b"]],
    [400, "a path in Host", ["Host: a/b"]],
    [400, "Content-Length and Transfer-Encoding", ["Host: a", "Content-Length: 1", "Transfer-Encoding: chunked"]],
    [400, "Transfer-Encoding and Content-Length", ["Host: a", "Transfer-Encoding: chunked", "Content-Length: 1"]],
    [400, "Transfer-Encoding and Content-Length 0", ["Host: a", "Transfer-Encoding: chunked", "Content-Length: 0"]],
    [400, "two different Content-Lengths", ["Host: a", "Content-Length: 5", "Content-Length: 6"]],
    [400, "a list of Content-Lengths", ["Host: a", "Content-Length: 5, 5"]],
    [400, "an empty Content-Length", ["Host: a", "Content-Length:"]],
    [400, "a signed Content-Length", ["Host: a", "Content-Length: +5"]],
    [400, "a negative Content-Length", ["Host: a", "Content-Length: -1"]],
    [400, "a hexadecimal Content-Length", ["Host: a", "Content-Length: 0x5"]],
    [400, "a fractional Content-Length", ["Host: a", "Content-Length: 5.0"]],
    [400, "digits that are not ASCII's", ["Host: a", "Content-Length: \xb2"]],
    [400, "a Content-Length beyond 2^53", ["Host: a", "Content-Length: 9007199254740993"]],
    [400, "an empty Transfer-Encoding", ["Host: a", "Transfer-Encoding:"]],
    [400, "an empty Transfer-Encoding behind one", ["Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding:"]],
    [501, "another Transfer-Encoding", ["Host: a", "Transfer-Encoding: gzip"]],
    [501, "gzip below chunked", ["Host: a", "Transfer-Encoding: gzip, chunked"]],
    [501, "identity", ["Host: a", "Transfer-Encoding: identity"]],
    [501, "chunked twice", ["Host: a", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]],
    [501, "chunked in quotes", ["Host: a", 'Transfer-Encoding: "chunked"']],
    [501, "chunked behind a control of Latin-1", ["Host: a", "Transfer-Encoding: \x85chunked"]],
    [501, "chunked with a parameter", ["Host: a", "Transfer-Encoding: chunked;a=b"]],
    [417, "another expectation", ["Host: a", "Expect: 200-ok"]],
    [417, "two expectations", ["Host: a", "Expect: x", "Expect: 100-continue"]],
    [431, "more than 32 Connection options", ["Host: a", `Connection: ${"x,".repeat(33)}`]],
  ])("answers %p to a head with %s", (status, _what, lines) => {
    expect(refusal(head("PUT / HTTP/1.1", ...lines)).status).toBe(status);
  });

  test.each<[string, string[], BodyFraming]>([
    ["no body", [], NO_BODY],
    ["a length of zero", ["Content-Length: 0"], NO_BODY],
    ["a length", ["Content-Length: 5"], { kind: "length", length: 5 }],
    ["leading zeros", ["Content-Length: 005"], { kind: "length", length: 5 }],
    ["a length said twice", ["Content-Length: 5", "content-length: 5"], { kind: "length", length: 5 }],
    ["chunks", ["Transfer-Encoding: chunked"], CHUNKED_BODY],
    ["chunks in any case", ["transfer-encoding: \tChunked "], CHUNKED_BODY],
  ])("frames %s", (_what, lines, framing) => {
    expect(parse(head("PUT / HTTP/1.1", "Host: a", ...lines)).framing).toEqual(framing);
  });

  test("takes HTTP/1.0 without Host, refuses chunks in it and ignores its expectations", () => {
    const parsed = parse(head("PUT / HTTP/1.0", "Content-Length: 1", "Expect: 100-continue"));
    expect(parsed).toMatchObject({ minorVersion: 0, keepAlive: false, expectsContinue: false });
    expect(refusal(head("PUT / HTTP/1.0", "Transfer-Encoding: chunked")).status).toBe(400);
    expect(refusal(head("PUT / HTTP/1.0", "Host: a", "Host: b")).status).toBe(400);
  });

  test("answers a higher minor version as 1.1", () => {
    expect(parse(head("GET / HTTP/1.7", "Host: a")).minorVersion).toBe(1);
  });

  test("sees that the client waits for 100 Continue", () => {
    const parsed = parse(head("PUT / HTTP/1.1", "Host: a", "Content-Length: 1", "Expect: 100-Continue"));
    expect(parsed.expectsContinue).toBe(true);
  });

  test("gathers the options of all Connection fields", () => {
    const parsed = parse(head("GET / HTTP/1.1", "Host: a", "Connection: X-A ,,\tx-b", "connection: Close"));
    expect(parsed.connectionOptions).toEqual(["x-a", "x-b", "close"]);
    expect(parsed.keepAlive).toBe(false);
  });

  test("does not take an option for another that differs by a byte beyond ASCII", () => {
    const parsed = parse(head("GET / HTTP/1.1", "Host: a", "Connection: close\xa0"));
    expect(parsed.keepAlive).toBe(true);
  });

  test("reads very many fields", () => {
    const count = 200_000;
    const parsed = parse(`GET / HTTP/1.1\r\nHost: a${"\r\na: b".repeat(count)}`);
    expect(parsed.fields.count).toBe(count + 1);
  });
});

describe("keepsAlive()", () => {
  test.each<[0 | 1, string[], boolean]>([
    [1, [], true],
    [1, ["close"], false],
    [1, ["keep-alive", "close"], false],
    [0, [], false],
    [0, ["keep-alive"], true],
    [0, ["keep-alive", "close"], false],
  ])("HTTP/1.%p with %p: %p", (minorVersion, options, kept) => {
    expect(keepsAlive(minorVersion, options)).toBe(kept);
  });
});
