import { describe, expect, test } from "bun:test";
import { didYouMean, suggestion } from "./did-you-mean.ts";

const KEYS = ["timeout", "interval", "max_body_bytes", "token", "token_file", "draining"];

describe("didYouMean()", () => {
  test.each([
    ["timout", "timeout"],
    ["tiemout", "timeout"],
    ["intervall", "interval"],
    ["maxBodyBytes", "max_body_bytes"],
    ["max-body-bytes", "max_body_bytes"],
    ["tokenfile", "token_file"],
    ["TOKEN", "token"],
    ["drain", undefined],
    ["draning", "draining"],
    ["x", undefined],
    ["", undefined],
  ])("takes %p for %p", (name, meant) => {
    expect(didYouMean(name, KEYS)).toBe(meant as string);
  });

  test("does not compare names of absurd length", () => {
    const name = "t".repeat(1000);
    expect(didYouMean(name, [name])).toBeUndefined();
  });
});

describe("suggestion()", () => {
  test("is empty when nothing is near", () => {
    expect(suggestion("zebra", KEYS)).toBe("");
    expect(suggestion("intervla", KEYS)).toBe('; did you mean "interval"?');
  });
});
