import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { MetricFamily } from "../exposition/model.ts";
import { encodeDelimited } from "../exposition/protobuf-encoder.ts";
import { ExpositionFormatError, ExpositionPicker, type FoundSeries } from "./exposition-picker.ts";
import { seriesKeyOf } from "./series-key.ts";

function family(name: string, labelValues: readonly string[], help = "Help."): MetricFamily {
  const metrics = labelValues.map((x, value) => ({
    labels: ["instance", "", "x", x],
    value,
    timestampMs: undefined,
    exemplar: undefined,
    createdAt: undefined,
  }));
  return { name, help, type: "gauge", metrics };
}

const WANTED = new Map([
  ["m", new Set([seriesKeyOf(["instance", "", "x", "2"]), seriesKeyOf(["x", "3", "instance", ""])])],
  ["n", new Set([seriesKeyOf(["instance", "", "x", "gone"])])],
]);

function pick(pieces: readonly Uint8Array[], wanted = WANTED): FoundSeries {
  const picker = new ExpositionPicker(wanted);
  for (const piece of pieces) {
    picker.push(Buffer.from(piece));
    while (picker.step()) {}
  }
  return picker.finish();
}

const EXPOSITION = Buffer.from(
  encodeDelimited([
    family("a", ["2"]),
    family("m", ["1", "2", "3", "2".repeat(500)]),
    { ...family("n", ["2"], ""), type: "counter" },
    family("o", []),
  ]),
);

function summary(found: FoundSeries): unknown {
  return Array.from(found, ([name, { help, metrics }]) => [
    name,
    help,
    Array.from(metrics.values(), ({ labels, value }) => [labels.join(), value]),
  ]);
}

describe("ExpositionPicker", () => {
  test("finds the series that are wanted, wherever the bytes are cut", () => {
    const expected = [
      [
        "m",
        "Help.",
        [
          ["instance,,x,2", 1],
          ["instance,,x,3", 2],
        ],
      ],
      ["n", "", []],
    ];
    expect(summary(pick([EXPOSITION]))).toEqual(expected);
    expect(summary(pick(Array.from(EXPOSITION, (byte) => Uint8Array.of(byte))))).toEqual(expected);
    fc.assert(
      fc.property(fc.array(fc.nat({ max: EXPOSITION.length })), (places) => {
        const ends = [...places, EXPOSITION.length].sort((a, b) => a - b);
        const pieces = ends.map((end, i) => EXPOSITION.subarray(ends[i - 1] ?? 0, end));
        expect(summary(pick(pieces))).toEqual(expected);
      }),
    );
  });

  test("takes the beginning of an exposition for the whole only where a family ends", () => {
    let whole = 0;
    for (let end = 0; end <= EXPOSITION.length; end++) {
      try {
        pick([EXPOSITION.subarray(0, end)]);
        whole++;
      } catch (error) {
        expect(error).toBeInstanceOf(ExpositionFormatError);
      }
    }
    expect(whole).toBe(5);
  });

  test("refuses what is no protobuf, and never loops or throws anything else", () => {
    for (const text of ["# HELP a b\n", "<html>", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\x02\x0b\x00"]) {
      expect(() => pick([Buffer.from(text, "latin1")])).toThrow(ExpositionFormatError);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: EXPOSITION.length }), (noise, at) => {
        const bytes = Buffer.concat([EXPOSITION.subarray(0, at), noise, EXPOSITION.subarray(at)]);
        try {
          pick([bytes]);
        } catch (error) {
          expect(error).toBeInstanceOf(ExpositionFormatError);
        }
      }),
    );
  });
});
