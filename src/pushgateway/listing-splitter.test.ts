import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { ListingFormatError, ListingSplitter } from "./listing-splitter.ts";

/** What the splitter makes of a listing that comes in these pieces. */
function split(pieces: readonly Buffer[]): string[] {
  const splitter = new ListingSplitter();
  const groups: string[] = [];
  for (const piece of pieces) {
    splitter.push(piece);
    for (let group = splitter.next(); group !== undefined; group = splitter.next()) groups.push(group.toString());
  }
  splitter.finish();
  return groups;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const LISTING = `{"status":"success","data":[{"labels":{"job":"a\\"]}"},"x":[[{}],"\\\\"]},{"labels":{"job":"é"}}]}\n`;

describe("ListingSplitter", () => {
  test("finds the same groups wherever the bytes are cut", () => {
    const text = fc.string({ unit: fc.constantFrom('"', "\\", "{", "}", "[", "]", ",", ":", "u", "é"), maxLength: 8 });
    const value = fc.oneof(
      text,
      fc.integer(),
      fc.array(text, { maxLength: 3 }),
      fc.dictionary(text, text, { maxKeys: 3 }),
    );
    const group = fc.dictionary(text, fc.oneof(value, fc.array(value, { maxLength: 2 })), { maxKeys: 4 });
    const space = fc.constantFrom("", "", " ", "\n\t ");
    fc.assert(
      fc.property(
        fc.array(group, { maxLength: 5 }),
        fc.array(fc.nat()),
        space,
        fc.boolean(),
        (groups, places, blank, isIndented) => {
          const texts = groups.map((value) => JSON.stringify(value, null, isIndented ? 1 : 0));
          const data = texts.join(`${blank},${blank}`);
          const listing = `{${blank}"status":"success",${blank}"data"${blank}:${blank}[${blank}${data}${blank}]}${blank}`;
          expect(split(cut(Buffer.from(listing), places))).toEqual(texts);
        },
      ),
    );
  });

  test("finds the same groups in single bytes", () => {
    const bytes = Buffer.from(LISTING);
    expect(split(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)))).toEqual(split([bytes]));
    expect(split([bytes])).toHaveLength(2);
  });

  test("takes no beginning of a listing for a listing", () => {
    const bytes = Buffer.from(LISTING.trimEnd());
    for (let end = 0; end < bytes.length; end++) {
      expect(() => split([bytes.subarray(0, end)])).toThrow(ListingFormatError);
    }
  });

  test("a text that looks like the groups' beginning is none", () => {
    const listing = `{"a":"\\"data\\":[","b":{"data":[1]},"c":[],"data":[{"x":1}],"status":"success"}`;
    expect(split([Buffer.from(listing)])).toEqual(['{"x":1}']);
  });

  test.each([
    ["", "ends early"],
    ["{}", "ends early"],
    ["[]", "ends early"],
    ["null", "ends early"],
    ["<html>", "ends early"],
    ['{"status":"success"}', "ends early"],
    ['{"status":"success","data":null}', "ends early"],
    ['{"status":"success","data":{}}', "ends early"],
    ['[{"status":"success","data":[]}]', "ends early"],
    ['{"status":"error","data":[]}', 'has the status "error"'],
    ['{"data":[]}', "has the status undefined"],
    ['{"status":"success","data":[]', "is not JSON"],
    ['{"status":"success","data":[]}}', "is not JSON"],
    ['{"status":"success","data":[]}x', "is not JSON"],
    ['{"status":"success","data":[],"data":[1]}', "has no array of groups"],
    ['{"status":"success" "data":[]}', "is not JSON"],
    ['{"status":"success","data":[1]}', 'has "1" between groups'],
    ['{"status":"success","data":[null]}', 'has "n" between groups'],
    ['{"status":"success","data":[[]]}', 'has "[" between groups'],
    ['{"status":"success","data":[{}{}]}', 'has "{" between groups'],
    ['{"status":"success","data":[{},,{}]}', 'has "," between groups'],
    ['{"status":"success","data":[,{}]}', 'has "," between groups'],
    ['{"status":"success","data":[{},]}', 'has "]" between groups'],
    ['{"status":"success","data":[{}}}', 'has "}" between groups'],
    [`{"status":"success","x":"${"x".repeat(70_000)}`, "no listing of groups"],
  ])("refuses %s", (listing, message) => {
    expect(() => split([Buffer.from(listing)])).toThrow(ListingFormatError);
    expect(() => split([Buffer.from(listing)])).toThrow(message);
  });
});
