import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalPathOf, groupIdOf, groupPathOf, keyOfGroupId } from "./group-id.ts";
import { groupingKeyOf, parsePushPath } from "./grouping-key.ts";

const bytes = (text: string) => Buffer.from(text).toString("latin1");
const anyText = fc.oneof(fc.string(), fc.string({ unit: "binary" })).map((text) => bytes(text.toWellFormed()));
const legacyName = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,8}$/).filter((name) => name !== "job");
const utf8Name = anyText.filter((name) => name !== "" && name !== "job" && !name.startsWith("__"));

const keyWith = (name: fc.Arbitrary<string>) =>
  fc
    .tuple(
      anyText.filter((job) => job !== ""),
      fc.uniqueArray(fc.record({ name, value: anyText }), { selector: ({ name: unique }) => unique, maxLength: 5 }),
    )
    .map(([job, labels]) => groupingKeyOf(job, labels));

describe("groupPathOf()", () => {
  test("spells a path that is read as the same key", () => {
    fc.assert(
      fc.property(keyWith(legacyName), (key) => {
        expect(parsePushPath(groupPathOf(key, { utf8Names: false }), { utf8Names: false })).toEqual(key);
      }),
    );
  });

  test("spells names in any UTF-8 for Pushgateways that take them", () => {
    // Six hex digits are more than the escaping has room for.
    const named = utf8Name.filter((name) => !/[\xf4]/.test(name));
    fc.assert(
      fc.property(keyWith(named), (key) => {
        expect(parsePushPath(groupPathOf(key, { utf8Names: true }), { utf8Names: true })).toEqual(key);
      }),
    );
  });

  test.each([
    ["backup", [], "/metrics/job/backup"],
    ["a/b", [], "/metrics/job@base64/YS9i"],
    ["..", [{ name: "x", value: "" }], "/metrics/job@base64/Li4/x@base64/="],
    ["a", [{ name: "x", value: "1.5" }], "/metrics/job/a/x/1.5"],
  ])("of job %p and labels %j", (job, labels, path) => {
    expect(groupPathOf(groupingKeyOf(job, labels), { utf8Names: true })).toBe(path);
  });
});

describe("groupIdOf()", () => {
  test("can be turned back into the key", () => {
    fc.assert(fc.property(keyWith(legacyName), (key) => expect(keyOfGroupId(groupIdOf(key))).toEqual(key)));
  });

  test("tells the canonical path", () => {
    fc.assert(
      fc.property(keyWith(legacyName), (key) => expect(canonicalPathOf(groupIdOf(key))).toBe(key.canonicalPath)),
    );
  });

  test("tells keys apart whose canonical paths are the same", () => {
    const one = groupingKeyOf("a", [{ name: "b", value: "c/d/e" }]);
    const other = groupingKeyOf("a", [
      { name: "b", value: "c" },
      { name: "d", value: "e" },
    ]);
    expect(one.canonicalPath).toBe(other.canonicalPath);
    expect(groupIdOf(one)).not.toBe(groupIdOf(other));
  });
});
