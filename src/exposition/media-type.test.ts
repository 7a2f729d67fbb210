import { describe, expect, test } from "bun:test";
import { isDelimitedProtobuf, negotiateFormat, parseMediaType, prefersGzip } from "./media-type.ts";

describe("parseMediaType()", () => {
  test.each([
    ["text/plain", "text/plain", {}],
    [" Text/Plain ; Version=0.0.4;charset=utf-8", "text/plain", { version: "0.0.4", charset: "utf-8" }],
    ['a/b; q="x;y\\"z"; r=1', "a/b", { q: 'x;y"z', r: "1" }],
    ["a/b;", "a/b", {}],
  ])("reads %j", (text, type, parameters) => {
    const parsed = parseMediaType(text);
    expect(parsed?.type).toBe(type);
    expect(Object.fromEntries(parsed?.parameters ?? [])).toEqual(parameters as never);
  });

  test.each(["", " ", "a/b; q", 'a/b; q="x', "a/b; =1"])("takes %j for none", (text) => {
    expect(parseMediaType(text)).toBeUndefined();
  });
});

const PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

test.each([
  [PROTOBUF, true],
  [PROTOBUF.replace("=delimited", '="delimited"'), true],
  [PROTOBUF.replace("delimited", "text"), false],
  [PROTOBUF.replace("MetricFamily", "Metric"), false],
  ["application/vnd.google.protobuf", false],
])("isDelimitedProtobuf() of %s is %p", (text, expected) => {
  const mediaType = parseMediaType(text);
  expect(mediaType !== undefined && isDelimitedProtobuf(mediaType)).toBe(expected);
});

test.each([
  [undefined, "text", "underscores"],
  ["", "text", "underscores"],
  [PROTOBUF, "protobuf", "underscores"],
  [`${PROTOBUF};q=0.3,text/plain;version=0.0.4;q=0.5`, "text", "underscores"],
  [`text/plain;q=0.3,${PROTOBUF};q=0.5;escaping=allow-utf-8`, "protobuf", "allow-utf-8"],
  [`${PROTOBUF};q=0`, "text", "underscores"],
  ["text/plain;version=1.0.0;escaping=allow-utf-8,text/plain;version=0.0.4;q=0.5", "text", "allow-utf-8"],
  ["text/plain;escaping=dots", "text", "underscores"],
] as const)("negotiateFormat(%j)", (accept, kind, escaping) => {
  expect(negotiateFormat(accept)).toEqual({ kind, escaping });
});

test.each([
  [undefined, false],
  ["gzip", true],
  ["deflate, GZIP;q=0.5", true],
  ["gzip;q=0", false],
  ["identity, gzip;q=0.5", false],
  ["identity;q=0.2, gzip;q=0.5", true],
  ["br, zstd", false],
])("prefersGzip(%j) is %p", (acceptEncoding, expected) => {
  expect(prefersGzip(acceptEncoding)).toBe(expected);
});
