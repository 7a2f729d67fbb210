import type { Series } from "../support/prometheus.ts";
import { FAMILIES } from "./group-ledger.ts";

/** What a scrape job stored of the clients' series. */
export interface StoredSeries {
  readonly series: number;
  readonly samples: number;
  /** Samples with a lower value than the one before. Clients only ever push higher ones, so an older copy was scraped. */
  readonly backward: number;
  /** The first few of them, for messages. */
  readonly examples: readonly string[];
}

const SHOWN = 5;

/** The clients' series alone. */
export const SELECTOR = `{__name__=~"${FAMILIES.join("|")}"}`;

/** Looks for samples that go back to an older value. Times in the examples are seconds since `since`, a Unix time in seconds. */
export function findSawTeeth(series: readonly Series[], since: number): StoredSeries {
  const examples: string[] = [];
  let backward = 0;
  let samples = 0;
  for (const { labels, values } of series) {
    const { __name__: family, instance } = labels;
    samples += values.length;
    for (const [index, [time, value]] of values.entries()) {
      const before = values[index - 1];
      if (before === undefined || value >= before[1]) continue;
      backward++;
      if (examples.length < SHOWN) {
        const seconds = [before[0], time].map((at) => (at - since).toFixed(1)).join(" to ");
        examples.push(`${family} of ${instance}: ${before[1]} to ${value} at ${seconds} s`);
      }
    }
  }
  return { series: series.length, samples, backward, examples };
}
