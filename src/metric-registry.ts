/** Content-Type of what `MetricRegistry.render` returns. */
export const TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8";

/** One series that only grows. */
export class Counter {
  #value = 0;

  get value(): number {
    return this.#value;
  }

  inc(by = 1): void {
    this.#value += by;
  }
}

/** One series that goes up and down. */
export class Gauge {
  value = 0;

  set(value: number): void {
    this.value = value;
  }
}

/** One set of buckets. `bounds` are upper bounds in ascending order; the bucket above the last is implied. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    let bucket = 0;
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] as number)) bucket++;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  /** Suffix, labels beside the series' own, and value of each line. */
  *lines(): Iterable<readonly [suffix: string, label: string, value: number]> {
    let total = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      total += count;
      yield ["_bucket", `le="${this.#bounds[bucket] ?? "+Inf"}"`, total];
    }
    yield ["_sum", "", this.#sum];
    yield ["_count", "", total];
  }
}

/** So many observations, and none older than this, are what quantiles tell of. */
const SUMMARY_OBSERVATIONS = 1_024;
const SUMMARY_AGE_MS = 600_000;
const SUMMARY_QUANTILES = [0.1, 0.5, 0.9];

/** Sum and count of all observations, and quantiles of the latest. */
export class Summary {
  readonly #values = new Float64Array(SUMMARY_OBSERVATIONS);
  readonly #times = new Float64Array(SUMMARY_OBSERVATIONS);
  #count = 0;
  #sum = 0;

  /** `now` is monotonic, in milliseconds. */
  observe(value: number, now: number): void {
    const place = this.#count % SUMMARY_OBSERVATIONS;
    this.#values[place] = value;
    this.#times[place] = now;
    this.#count++;
    this.#sum += value;
  }

  /** Suffix, labels beside the series' own, and value of each line. */
  *lines(): Iterable<readonly [suffix: string, label: string, value: number]> {
    const oldest = performance.now() - SUMMARY_AGE_MS;
    const latest = this.#values
      .subarray(0, Math.min(this.#count, SUMMARY_OBSERVATIONS))
      .filter((_, place) => (this.#times[place] as number) >= oldest)
      .sort();
    for (const quantile of SUMMARY_QUANTILES) {
      const rank = Math.max(0, Math.ceil(quantile * latest.length) - 1);
      yield ["", `quantile="${quantile}"`, latest[rank] ?? Number.NaN];
    }
    yield ["_sum", "", this.#sum];
    yield ["_count", "", this.#count];
  }
}

/** A metric with its series, one for each combination of label values. A family without labels has one from the start. */
export class MetricFamily<Series> {
  readonly #labelNames: readonly string[];
  readonly #create: () => Series;
  readonly #series = new Map<string, Series>();

  constructor(labelNames: readonly string[], create: () => Series) {
    this.#labelNames = labelNames;
    this.#create = create;
    if (labelNames.length === 0) this.#series.set("", create());
  }

  /** The series with these label values, in the order of the label names. A hot path keeps what this returns. */
  labels(...values: readonly string[]): Series {
    const key = this.#key(values);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = this.#create();
      this.#series.set(key, series);
    }
    return series;
  }

  remove(...values: readonly string[]): void {
    this.#series.delete(this.#key(values));
  }

  clear(): void {
    this.#series.clear();
  }

  /** The series by their formatted labels. */
  entries(): Iterable<[labels: string, series: Series]> {
    return this.#series.entries();
  }

  #key(values: readonly string[]): string {
    if (values.length !== this.#labelNames.length) {
      throw new TypeError(`Cannot find a series: want ${this.#labelNames.length} label values, got ${values.length}`);
    }
    return this.#labelNames.map((name, index) => `${name}="${escapeValue(values[index] ?? "")}"`).join(",");
  }
}

/**
 * Metrics of one server in Prometheus' text format. Our own because it costs a scrape-only program little: prom-client adds
 * 16 MB of resident memory and a quarter of a microsecond to each push (docs/adr/0005).
 */
export class MetricRegistry {
  readonly #renderers: (() => string)[] = [];

  counter(name: string, help: string, labelNames: readonly string[] = []): MetricFamily<Counter> {
    return this.#add(name, help, "counter", new MetricFamily(labelNames, () => new Counter()), valueLine);
  }

  /** `collect` is called before each rendering, to set the series to what is true then. */
  gauge(
    name: string,
    help: string,
    labelNames: readonly string[] = [],
    collect?: (family: MetricFamily<Gauge>) => void,
  ): MetricFamily<Gauge> {
    return this.#add(name, help, "gauge", new MetricFamily(labelNames, () => new Gauge()), valueLine, collect);
  }

  histogram(
    name: string,
    help: string,
    bounds: readonly number[],
    labelNames: readonly string[] = [],
  ): MetricFamily<Histogram> {
    return this.#add(name, help, "histogram", new MetricFamily(labelNames, () => new Histogram(bounds)), bucketLines);
  }

  summary(name: string, help: string, labelNames: readonly string[] = []): MetricFamily<Summary> {
    return this.#add(name, help, "summary", new MetricFamily(labelNames, () => new Summary()), bucketLines);
  }

  /** A counter that somebody else counts. */
  counterOf(name: string, help: string, read: () => number): void {
    this.#renderers.push(() => `${heading(name, help, "counter")}${line(name, "", read())}`);
  }

  /** All metrics, in the order in which they were made. */
  render(): string {
    return this.#renderers.map((render) => render()).join("");
  }

  #add<Series>(
    name: string,
    help: string,
    type: string,
    family: MetricFamily<Series>,
    format: (name: string, labels: string, series: Series) => string,
    collect?: (family: MetricFamily<Series>) => void,
  ): MetricFamily<Series> {
    this.#renderers.push(() => {
      collect?.(family);
      let text = heading(name, help, type);
      for (const [labels, series] of family.entries()) text += format(name, labels, series);
      return text;
    });
    return family;
  }
}

function heading(name: string, help: string, type: string): string {
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n`;
}

function valueLine(name: string, labels: string, series: { readonly value: number }): string {
  return line(name, labels, series.value);
}

function bucketLines(name: string, labels: string, series: Histogram | Summary): string {
  let text = "";
  for (const [suffix, label, value] of series.lines()) {
    text += line(name + suffix, [labels, label].filter(Boolean).join(","), value);
  }
  return text;
}

function line(name: string, labels: string, value: number): string {
  return `${name}${labels === "" ? "" : `{${labels}}`} ${formatNumber(value)}\n`;
}

/** JavaScript's spelling of numbers but for the infinities. */
function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

function escapeValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
