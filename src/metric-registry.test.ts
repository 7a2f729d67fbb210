import { describe, expect, test } from "bun:test";
import { MetricRegistry } from "./metric-registry.ts";

describe("MetricRegistry", () => {
  test("renders families in the order in which they were made, in the text format", () => {
    const registry = new MetricRegistry();
    registry.counter("b_total", "Second.", ["code", "method"]).labels("200", "PUT").inc();
    registry.gauge("a", "First.").labels().set(-1.5);
    expect(registry.render()).toBe(
      "# HELP b_total Second.\n# TYPE b_total counter\n" +
        'b_total{code="200",method="PUT"} 1\n' +
        "# HELP a First.\n# TYPE a gauge\na -1.5\n",
    );
  });

  test("shows a family without labels from the start, and one with labels when it has series", () => {
    const registry = new MetricRegistry();
    registry.counter("plain_total", "H");
    registry.counter("labelled_total", "H", ["x"]);
    expect(registry.render()).toContain("plain_total 0\n");
    expect(registry.render()).not.toContain("labelled_total{");
  });

  test("escapes help and label values", () => {
    const registry = new MetricRegistry();
    registry.gauge("g", 'a\\b\n"c"', ["x"]).labels('\\ " \n ü').set(1);
    expect(registry.render()).toBe('# HELP g a\\\\b\\n"c"\n# TYPE g gauge\n' + 'g{x="\\\\ \\" \\n ü"} 1\n');
  });

  test.each([
    [Number.POSITIVE_INFINITY, "+Inf"],
    [Number.NEGATIVE_INFINITY, "-Inf"],
    [Number.NaN, "NaN"],
    [1e21, "1e+21"],
    [0.1, "0.1"],
    [1_700_000_000.123, "1700000000.123"],
  ])("writes %p as Prometheus reads it", (value, text) => {
    const registry = new MetricRegistry();
    registry.gauge("g", "H").labels().set(value);
    expect(registry.render()).toEndWith(`g ${text}\n`);
  });

  test("counts observations in all buckets that hold them", () => {
    const registry = new MetricRegistry();
    const histogram = registry.histogram("h", "H", [0.1, 1], ["mode"]).labels("m");
    for (const value of [0.05, 0.1, 0.5, 2]) histogram.observe(value);
    expect(registry.render().split("\n").slice(2, -1)).toEqual([
      'h_bucket{mode="m",le="0.1"} 2',
      'h_bucket{mode="m",le="1"} 3',
      'h_bucket{mode="m",le="+Inf"} 4',
      'h_sum{mode="m"} 2.65',
      'h_count{mode="m"} 4',
    ]);
  });

  test("gives the same series for the same labels, and drops it on demand", () => {
    const registry = new MetricRegistry();
    const family = registry.counter("c_total", "H", ["x", "y"]);
    family.labels("1", "2").inc();
    family.labels("1", "2").inc(2);
    family.labels("12", "").inc();
    expect(registry.render()).toContain('c_total{x="1",y="2"} 3\nc_total{x="12",y=""} 1\n');
    family.remove("1", "2");
    family.remove("never", "there");
    expect(registry.render()).not.toContain('x="1"');
    expect(() => family.labels("1")).toThrow("want 2 label values, got 1");
  });

  test("collects before each rendering", () => {
    const registry = new MetricRegistry();
    let members = ["a", "b"];
    registry.gauge("g", "H", ["member"], (family) => {
      family.clear();
      for (const member of members) family.labels(member).set(1);
    });
    let count = 0;
    registry.counterOf("c_total", "H", () => ++count);
    expect(registry.render()).toContain('g{member="a"} 1\ng{member="b"} 1\n');
    members = ["b"];
    const second = registry.render();
    expect(second).not.toContain('member="a"');
    expect(second).toEndWith("# TYPE c_total counter\nc_total 2\n");
  });
});

describe("Summary", () => {
  function linesAfter(values: readonly number[], now = performance.now()): readonly string[] {
    const registry = new MetricRegistry();
    const summary = registry.summary("s", "A summary.").labels();
    for (const value of values) summary.observe(value, now);
    return registry.render().trimEnd().split("\n").slice(2);
  }

  test("shows quantiles, sum and count", () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(linesAfter(values)).toEqual([
      's{quantile="0.1"} 10',
      's{quantile="0.5"} 50',
      's{quantile="0.9"} 90',
      "s_sum 5050",
      "s_count 100",
    ]);
  });

  test("shows no quantiles of nothing, nor of what is long ago", () => {
    const quantiles = ['s{quantile="0.1"} NaN', 's{quantile="0.5"} NaN', 's{quantile="0.9"} NaN'];
    expect(linesAfter([])).toEqual([...quantiles, "s_sum 0", "s_count 0"]);
    expect(linesAfter([1, 2], performance.now() - 3_600_000)).toEqual([...quantiles, "s_sum 3", "s_count 2"]);
  });

  test("forgets all but the latest of many observations", () => {
    const values = [...Array.from({ length: 5_000 }, () => 1), ...Array.from({ length: 1_024 }, () => 2)];
    expect(linesAfter(values).slice(0, 3)).toEqual([
      's{quantile="0.1"} 2',
      's{quantile="0.5"} 2',
      's{quantile="0.9"} 2',
    ]);
  });
});
