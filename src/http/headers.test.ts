import { describe, expect, test } from "bun:test";
import { formatEndToEndHeaders, headerValue, splitList } from "./headers.ts";

describe("headerValue()", () => {
  const headers = ["Via", "1.1 a", "VIA", "1.1 b", "X", ""];

  test("finds the first value whatever the case of the name", () => {
    expect(headerValue(headers, "via")).toBe("1.1 a");
  });

  test("tells an empty value from none, and a name from a value", () => {
    expect(headerValue(headers, "x")).toBe("");
    expect(headerValue(headers, "1.1 a")).toBeUndefined();
  });
});

describe("splitList()", () => {
  test.each<[string, string[]]>([
    ["", []],
    [" , ,", []],
    ["Close", ["close"]],
    ["a,B ,\tc", ["a", "b", "c"]],
    ["a b", ["a b"]],
  ])("%p is %p", (value, items) => {
    expect(splitList(value)).toEqual(items);
  });
});

describe("formatEndToEndHeaders()", () => {
  test("keeps order, spelling and repetition of what passes on", () => {
    expect(formatEndToEndHeaders(["x-B", "1", "A", "", "x-B", "2"], [])).toBe("x-B: 1\r\nA: \r\nx-B: 2\r\n");
  });

  test.each([
    "Connection",
    "Content-Length",
    "Expect",
    "Host",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
  ])("keeps back %s", (name) => {
    expect(formatEndToEndHeaders([name, "a", name.toLowerCase(), "b", name.toUpperCase(), "c"], [])).toBe("");
  });

  test("keeps back what the Connection field names", () => {
    expect(formatEndToEndHeaders(["X-Hop", "a", "X-End", "b"], ["x-hop", "close"])).toBe("X-End: b\r\n");
  });

  test("passes credentials on, as Pushgateway behind a proxy asks for them", () => {
    expect(formatEndToEndHeaders(["Authorization", "Basic eA=="], [])).toBe("Authorization: Basic eA==\r\n");
  });
});
