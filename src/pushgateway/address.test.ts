import { describe, expect, test } from "bun:test";
import { joinAddress, splitAddress } from "./address.ts";

describe("splitAddress()", () => {
  test.each([
    ["10.0.0.1:9091", "10.0.0.1", 9091],
    ["pushgateway-1.example:80", "pushgateway-1.example", 80],
    ["[::1]:9091", "::1", 9091],
    ["[fe80::1]:65535", "fe80::1", 65_535],
  ])("splits %s, and joinAddress() puts it together again", (address, host, port) => {
    expect(splitAddress(address)).toEqual({ host, port });
    expect(joinAddress(host, port)).toBe(address);
  });

  test.each(["10.0.0.1", ":9091", "a:", "a:0", "a:65536", "a:9x", "::1", ""])("refuses %p", (address) => {
    expect(() => splitAddress(address)).toThrow(`Cannot read the address "${address}": expected host:port`);
  });
});
