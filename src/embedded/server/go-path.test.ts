import { describe, expect, test } from "bun:test";
import { cleanPath, decodePath, escapePath } from "./go-path.ts";

describe("cleanPath()", () => {
  test.each([
    ["/", "/"],
    ["//", "/"],
    ["/a", "/a"],
    ["/a/", "/a/"],
    ["/a//", "/a/"],
    ["/a/./b", "/a/b"],
    ["/a/../b", "/b"],
    ["/a/..", "/"],
    ["/a/.", "/a"],
    ["/..", "/"],
    ["/../..//a/...", "/a/..."],
  ])("makes %j %j", (path, cleaned) => {
    expect(cleanPath(path)).toBe(cleaned);
  });
});

test("escapePath() escapes what Go's net/url does in a path, byte by byte", () => {
  expect(escapePath("/a-b_c.d~e$f&g+h,i/j:k;l=m@n")).toBe("/a-b_c.d~e$f&g+h,i/j:k;l=m@n");
  expect(escapePath("/ !\"#%'()*?[]^`{|}\n\xc3\xa9")).toBe(
    "/%20%21%22%23%25%27%28%29%2A%3F%5B%5D%5E%60%7B%7C%7D%0A%C3%A9",
  );
});

test.each([
  ["/a%2Fb", "/a/b"],
  ["/a%2", undefined],
  ["*", undefined],
])("decodePath() makes %j %j", (path, decoded) => {
  expect(decodePath(path)).toBe(decoded as string);
});
