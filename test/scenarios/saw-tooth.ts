import type { Series } from "../support/prometheus.ts";
import { labelsKey } from "./copies.ts";
import { FAMILIES } from "./group-ledger.ts";

/** What a scrape job stored of the clients' series. */
export interface StoredSeries {
  readonly series: number;
  readonly samples: number;
  /** Samples with a lower value than the one before. Clients only ever push higher ones, so an older copy was scraped. */
  readonly backward: readonly SawTooth[];
}

interface SawTooth {
  readonly text: string;
  /** Of the group, as `labelsKey` writes it. */
  readonly key: string;
  /** Seconds since the scenario began. */
  readonly atSeconds: number;
}

/** The clients' series alone. */
export const SELECTOR = `{__name__=~"${FAMILIES.join("|")}"}`;

/** Looks for samples that go back to an older value. Times are seconds since `since`, a Unix time in seconds. */
export function findSawTeeth(series: readonly Series[], since: number): StoredSeries {
  const backward: SawTooth[] = [];
  let samples = 0;
  for (const { labels, values } of series) {
    const { __name__: family, by: _job, ...groupLabels } = labels;
    const { instance } = groupLabels;
    samples += values.length;
    for (const [index, [time, value]] of values.entries()) {
      const before = values[index - 1];
      if (before === undefined || value >= before[1]) continue;
      const when = [before[0], time].map((at) => (at - since).toFixed(1)).join(" to ");
      const text = `${family} of ${instance}: ${before[1]} to ${value} at ${when} s`;
      backward.push({ text, key: labelsKey(groupLabels), atSeconds: time - since });
    }
  }
  return { series: series.length, samples, backward };
}
