import type { ByteString } from "../sharding/byte-string.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";
import type { LabelPairs, SeriesLabels } from "./model.ts";
import { exposedLabels, formatLabels } from "./text-labels.ts";

/**
 * What a group does to the labels of its series: its own labels win over those of the body, and a series without an
 * `instance` gets an empty one, so that Prometheus does not put the Pushgateway there.
 */
export class GroupLabels implements SeriesLabels {
  /** The grouping key as pairs, job included, sorted by name. */
  readonly key: LabelPairs;
  /** Those of a series that has no labels of its own. */
  readonly labels: LabelPairs;
  readonly labelsText: ByteString;
  /** `labelsText` as the text format 0.0.4 can show it. */
  readonly exposedText: ByteString;
  readonly #names: ReadonlySet<ByteString>;

  constructor(key: GroupingKey) {
    const pairs = key.labels.flatMap(({ name, value }) => [name, value]);
    this.key = sortPairs(["job", key.job, ...pairs]);
    this.labels = withInstance(this.key);
    this.labelsText = formatLabels(this.labels);
    this.exposedText = exposedLabels(this.labels, this.labelsText);
    this.#names = new Set(this.key.filter((_, index) => index % 2 === 0));
  }

  /** The labels of one series of the group. A name that a body has twice stays twice. */
  of(own: LabelPairs): SeriesLabels {
    if (own.length === 0) return this;
    const merged = [...this.key];
    const done = new Set<ByteString>();
    for (let i = 0; i < own.length; i += 2) {
      const name = own[i] as ByteString;
      if (!this.#names.has(name)) merged.push(name, own[i + 1] as ByteString);
      // Pushgateway overwrites one label of that name only; the second makes the push inconsistent.
      else if (done.has(name)) merged.push(name, own[i + 1] as ByteString);
      else done.add(name);
    }
    const labels = sortPairs(withInstance(merged));
    return { labels, labelsText: formatLabels(labels) };
  }
}

function withInstance(pairs: LabelPairs): LabelPairs {
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] === "instance") return pairs;
  }
  return sortPairs([...pairs, "instance", ""]);
}

/** Sorts by name in byte order. Insertion sort: labels are few, and most come sorted. */
function sortPairs(pairs: LabelPairs): LabelPairs {
  const sorted = [...pairs];
  for (let i = 2; i < sorted.length; i += 2) {
    const name = sorted[i] as ByteString;
    const value = sorted[i + 1] as ByteString;
    let at = i;
    for (; at > 0 && (sorted[at - 2] as ByteString) > name; at -= 2) {
      sorted[at] = sorted[at - 2] as ByteString;
      sorted[at + 1] = sorted[at - 1] as ByteString;
    }
    sorted[at] = name;
    sorted[at + 1] = value;
  }
  return sorted;
}
