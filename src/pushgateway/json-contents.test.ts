import { describe, expect, test } from "bun:test";
import { metricOfJson, parseTimestamp } from "./json-contents.ts";

describe("parseTimestamp()", () => {
  test.each([
    ["2026-11-23T10:30:58.333262617Z", Number(1_795_429_858_333_262_617n) / 1e9],
    ["2026-11-23T11:30:58.333262617+01:00", Number(1_795_429_858_333_262_617n) / 1e9],
    ["2026-11-23T10:30:58Z", 1_795_429_858],
    ["2026-11-23T10:30:58.5Z", 1_795_429_858.5],
    ["1969-12-31T23:59:59.5Z", -0.5],
    ["", 0],
    ["yesterday", 0],
    ["2026-13-23T10:30:58Z", 0],
  ])("%s", (text, seconds) => {
    expect(parseTimestamp(text)).toBe(seconds);
  });
});

describe("metricOfJson()", () => {
  test("reads numbers in full", () => {
    const labels = { a: "1" };
    expect(metricOfJson({ labels, value: "1.7954298583332627e+09" }, "gauge")).toMatchObject({
      labels: ["a", "1"],
      value: 1_795_429_858.3332627,
    });
    expect(metricOfJson({ labels, value: "NaN" }, "counter")?.value).toBeNaN();
    expect(metricOfJson({ value: "-Inf" }, "untyped")).toMatchObject({ labels: [], value: Number.NEGATIVE_INFINITY });
    expect(metricOfJson({ count: "3", sum: "2", quantiles: { "0.5": "1", NaN: "2" } }, "summary")?.value).toEqual({
      count: 3,
      sum: 2,
      quantiles: [
        { quantile: 0.5, value: 1 },
        { quantile: Number.NaN, value: 2 },
      ],
    });
  });

  test("orders the buckets of a histogram by their bounds", () => {
    const value = metricOfJson(
      { count: "3", sum: "2", buckets: { "+Inf": "3", "1e-05": "1", "2": "2" } },
      "histogram",
    )?.value;
    expect(value).toMatchObject({
      count: 3,
      sum: 2,
      buckets: [{ upperBound: 1e-5 }, { upperBound: 2 }, { upperBound: Infinity }],
    });
  });

  test("takes a histogram whose count is no integer for one of floats", () => {
    const json = { count: "2.5", sum: "2", buckets: { "1": "1.5", "+Inf": "2" } };
    expect(metricOfJson(json, "histogram")?.value).toMatchObject({ count: 2.5, isFloat: true });
  });

  test.each([[[]], [[["1", "2"]]], [{}]])(
    "takes a histogram with buckets %j for a native one, of which JSON tells too little",
    (buckets) => {
      expect(metricOfJson({ count: "1", sum: "1", buckets }, "histogram")).toBeUndefined();
    },
  );
});
