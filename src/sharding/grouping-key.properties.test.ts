import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isPushPath, type Label, PushPathError, parsePushPath } from "./grouping-key.ts";

/** 200 for a path that can be read. */
function statusOf(path: string, utf8Names: boolean): number {
  try {
    parsePushPath(path, { utf8Names });
    return 200;
  } catch (error) {
    if (error instanceof PushPathError) return error.status;
    throw error;
  }
}

const byteString = fc.uint8Array({ maxLength: 6 }).map((value) => Buffer.from(value).toString("latin1"));
const labelName = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_]{0,4}$/).filter((name) => name !== "job");
const labelValue = fc.oneof(byteString, fc.constantFrom("", ".", "..", "/", "a/b", "//", "%2F", "@base64"));
const groupingKey = fc.record({
  job: labelValue.filter((job) => job !== ""),
  labels: fc.uniqueArray(fc.record({ name: labelName, value: labelValue }), { maxLength: 5, selector: (l) => l.name }),
});

function byName(a: Label, b: Label): number {
  return a.name < b.name ? -1 : 1;
}

/** One of the many push paths for a key: any order, values encoded this way or that, overruled labels in between. */
function spell(job: string, labels: readonly Label[], dice: (sides: number) => number): string {
  const order = labels.map((label) => ({ label, at: dice(1_000) })).sort((a, b) => a.at - b.at);
  const overruled = order.slice(0, dice(2)).map(({ label }) => ({ name: label.name, value: "overruled" }));
  const lateJob = dice(3) === 0 ? [{ name: "job", value: "late" }] : [];
  const parts = [...overruled, ...lateJob, ...order.map(({ label }) => label)].map(({ name, value }) =>
    spellPair(name, value, dice),
  );
  const isBare = parts.length === 0 && dice(2) === 0;
  return `/metrics/${spellPair("job", job, dice)}${parts.map((part) => `/${part}`).join("")}${isBare ? "/" : ""}`;
}

function spellPair(name: string, value: string, dice: (sides: number) => number): string {
  const isPlain = value !== "" && value !== "." && value !== ".." && !value.includes("/");
  if (isPlain && dice(3) > 0) return `${percentEncode(name, dice)}/${percentEncode(value, dice)}`;
  const base64 = Buffer.from(value, "latin1").toString("base64url") || "=";
  return `${percentEncode(`${name}@base64`, dice)}/${percentEncode(base64 + "=".repeat(dice(3)), dice)}`;
}

/** Encodes what must be, and some of the rest. */
function percentEncode(value: string, dice: (sides: number) => number): string {
  return value.replaceAll(/./gs, (byte) => {
    if (/[!-$&-.0->@-~]/.test(byte) && dice(5) > 0) return byte;
    return `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}

describe("parsePushPath()", () => {
  test("gives the same key for every spelling of it", () => {
    fc.assert(
      fc.property(groupingKey, fc.infiniteStream(fc.nat()), ({ job, labels }, random) => {
        const dice = (sides: number) => random.next().value % sides;
        const once = parsePushPath(spell(job, labels, dice), { utf8Names: false });
        const again = parsePushPath(spell(job, labels, dice), { utf8Names: false });
        expect(once).toMatchObject({ job, labels: labels.toSorted(byName) });
        expect(again).toEqual(once);
      }),
      { numRuns: 2_000 },
    );
  });

  test("reads or refuses any bytes, and agrees with isPushPath() on which are for it", () => {
    const hostile = fc.constantFrom(..."/%.@=_U~ax2fE\xff\xc3\0 ");
    const tail = fc.array(fc.oneof(hostile, fc.constantFrom("@base64/", "/U__", "%2F", "%2e")), { maxLength: 20 });
    const head = fc.constantFrom("", "/metrics/job", "/metrics/job@base64", "/Metrics/Job/", "//metrics/./job/");
    fc.assert(
      fc.property(head, tail, fc.boolean(), (start, rest, utf8Names) => {
        const path = start + rest.join("");
        const status = statusOf(path, utf8Names);
        expect([200, 400, 404]).toContain(status);
        if (isPushPath(path)) expect(status).not.toBe(404);
        else expect(status).not.toBe(200);
      }),
      { numRuns: 10_000 },
    );
  });

  // Anything worse than linear would not end within the time that a test has.
  describe("ends soon on a megabyte", () => {
    test.each([
      ["of slashes", "/", ""],
      ["of labels", "/a/b", ""],
      ["of names in base64", "/x@base64/YQ", ""],
      ["of encoded slashes", "%2Fx%2F", ""],
      ["of dots", "/..", ""],
      ["of padding", "=", "/x@base64/"],
      ["of base64", "YQ", "/x@base64/"],
      ["of bytes to quote", "%ff", "/"],
      ["of characters to quote", "\xc3\xa4", "/"],
      ["of an escaped name", "_2e_", "/U__"],
      ["of underscores", "_", "/U__a"],
    ])("%s", (_, unit, start) => {
      const path = `/metrics/job/a${start}${unit.repeat(1_000_000 / unit.length)}`;
      for (const ending of ["", "/x", "/x/y"]) expect([200, 400]).toContain(statusOf(path + ending, true));
    });

    test("of different labels in falling order", () => {
      const names = Array.from({ length: 100_000 }, (_, i) => `n${999_999 - i}`);
      const key = parsePushPath(`/metrics/job/a/${names.map((name) => `${name}/1`).join("/")}`, { utf8Names: false });
      expect(key.labels.map(({ name }) => name)).toEqual(names.toReversed());
    });
  });
});
