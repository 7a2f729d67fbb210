import { describe, expect, test } from "bun:test";
import { formatListenAddress, parseListenAddress, parseServerAddress } from "./address.ts";

describe("parseServerAddress()", () => {
  test.each([
    ["10.0.0.1", "10.0.0.1:9091"],
    ["10.0.0.1:80", "10.0.0.1:80"],
    ["10.0.0.1:0080", "10.0.0.1:80"],
    ["localhost", "localhost:9091"],
    ["Push-Gateway_1.example.org", "Push-Gateway_1.example.org:9091"],
    ["pushgateway.example.org.:9191", "pushgateway.example.org.:9191"],
    ["::1", "[::1]:9091"],
    ["[::1]", "[::1]:9091"],
    ["[2001:db8::1]:80", "[2001:db8::1]:80"],
    ["1a", "1a:9091"],
    [`${"a".repeat(63)}.example`, `${"a".repeat(63)}.example:9091`],
  ])("reads %s as %s", (text, address) => {
    expect(parseServerAddress(text, 9091)).toBe(address);
  });

  test.each([
    "",
    ":9091",
    "10.0.0.256",
    "10.0.0",
    "1234",
    "host:",
    "host:0",
    "host:65536",
    "host:http",
    "host:80:80",
    "host name",
    "host/path",
    "-host",
    "host-",
    "a..b",
    "höst",
    "http://host",
    "[::1",
    "[]",
    "[10.0.0.1]",
    "::1:9091:x",
    "fe80::1%eth0",
    "[fe80::1%eth0]:9091",
    "a".repeat(64),
    `${"a.".repeat(130)}b`,
    "host\n",
  ])("refuses %j", (text) => {
    expect(() => parseServerAddress(text, 9091)).toThrow(/^expected /);
  });

  test("does not repeat credentials in its message", () => {
    expect(() => parseServerAddress("http://user:secret@host:8500")).toThrow(/^[^@]*without user name and password$/);
  });

  test("asks for a port where there is no default", () => {
    expect(() => parseServerAddress("localhost")).toThrow(
      'expected host:port such as "localhost:8500", got "localhost" without a port',
    );
  });
});

describe("parseListenAddress()", () => {
  test.each([
    [":9292", { hostname: "", port: 9292 }],
    ["0.0.0.0:9292", { hostname: "0.0.0.0", port: 9292 }],
    ["127.0.0.1:0", { hostname: "127.0.0.1", port: 0 }],
    ["localhost:80", { hostname: "localhost", port: 80 }],
    ["[::1]:9292", { hostname: "::1", port: 9292 }],
  ])("reads %s, and formatListenAddress() writes it back", (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
    expect(formatListenAddress(address)).toBe(text);
  });

  test.each(["", "9292", "localhost", "::1", "[::1]", ":", ":x", ":65536", "http://:9292"])("refuses %j", (text) => {
    expect(() => parseListenAddress(text)).toThrow(/^expected /);
  });
});
