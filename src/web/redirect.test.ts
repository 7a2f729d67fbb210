import { describe, expect, test } from "bun:test";
import { HeaderFields } from "../http/header-fields.ts";
import { pushUrl, type RoutingMode, shouldRedirect } from "./redirect.ts";

function fieldsOf(...lines: readonly string[]): HeaderFields {
  const bytes = Buffer.from(lines.join("\r\n"), "latin1");
  return HeaderFields.parse(bytes, 0, bytes.length);
}

const GO = "User-Agent: Go-http-client/1.1";

describe("shouldRedirect()", () => {
  test.each<[RoutingMode, string, readonly string[], boolean]>([
    ["proxy", "PUT", [GO], false],
    ["redirect", "PUT", [], true],
    ["redirect", "POST", ["Authorization: Basic eDp5"], true],
    ["redirect", "DELETE", [GO], false],
    ["auto", "PUT", [GO], true],
    ["auto", "POST", ["USER-AGENT: Java/1.8.0_302"], true],
    ["auto", "DELETE", [GO], false],
    ["auto", "PUT", [GO, "AUTHORIZATION: Bearer x"], false],
    ["auto", "PUT", [GO, "Authorization:"], false],
    ["auto", "PUT", ["User-Agent: Java"], false],
    ["auto", "PUT", ["User-Agent: my-Java/1.0"], false],
    ["auto", "PUT", ["User-Agent: Python-urllib/3.11"], false],
    ["auto", "PUT", ["User-Agent:"], false],
    ["auto", "PUT", [], false],
  ])("in mode %s, for %s with %j: %j", (mode, method, lines, expected) => {
    expect(shouldRedirect(mode, method, fieldsOf(...lines))).toBe(expected);
  });
});

describe("pushUrl()", () => {
  test.each([
    ["/metrics/job/a", "/metrics/job/a"],
    ["/metrics/job/%2F%c3%bc?q=%zz", "/metrics/job/%2F%c3%bc?q=%zz"],
    ["/metrics/job/-._~!$&'()*+,;=:@[]", "/metrics/job/-._~!$&'()*+,;=:@[]"],
    ["/metrics/job/a#b", "/metrics/job/a%23b"],
    ["/metrics/job/\xc3\xbc\xff", "/metrics/job/%C3%BC%FF"],
    ['/metrics/job/"<>\\^`{|}', "/metrics/job/%22%3C%3E%5C%5E%60%7B%7C%7D"],
  ])("of the target %j has the path %j", (target, path) => {
    expect(pushUrl("[::1]:9091", target)).toBe(`http://[::1]:9091${path}`);
  });

  test("is ASCII without blanks and controls, and decodes to the same bytes, whatever byte there is", () => {
    for (let byte = 0; byte < 256; byte++) {
      const url = pushUrl("h:1", `/${String.fromCharCode(byte)}`);
      expect(url).toMatch(/^http:\/\/h:1\/[!-~]+$/);
      const path = url.slice("http://h:1/".length);
      if (path.length === 3) expect(Number.parseInt(path.slice(1), 16)).toBe(byte);
      else expect(path.charCodeAt(0)).toBe(byte);
    }
  });
});
