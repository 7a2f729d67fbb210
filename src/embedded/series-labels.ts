import type { LabelPairs, SeriesLabels } from "../exposition/model.ts";
import { exposedLabels, formatLabels } from "../exposition/text-labels.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";

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

  constructor(key: GroupingKey) {
    // Copies, as parts of a string keep the whole of it, here a request, for as long as the group lives.
    const pairs = key.labels.flatMap(({ name, value }) => [copy(name), copy(value)]);
    this.key = sortPairs(["job", copy(key.job), ...pairs]);
    this.labels = withInstance(this.key);
    this.labelsText = copy(formatLabels(this.labels));
    this.exposedText = exposedLabels(this.labels, this.labelsText);
  }

  /** The labels of one series of the group. A name that a body has twice stays twice. */
  of(own: LabelPairs): SeriesLabels {
    if (own.length === 0) return this;
    const merged = [...this.key];
    let overwritten: ByteString[] | undefined;
    for (let i = 0; i < own.length; i += 2) {
      const name = own[i] as ByteString;
      // Pushgateway overwrites one label of a name only; the second makes the push inconsistent.
      if (!this.#hasName(name) || overwritten?.includes(name) === true) merged.push(name, own[i + 1] as ByteString);
      else {
        overwritten ??= [];
        overwritten.push(name);
      }
    }
    const labels = sortPairs(withInstance(merged));
    return { labels, labelsText: formatLabels(labels) };
  }

  /** A search from the start: most groups have two or three labels. */
  #hasName(name: ByteString): boolean {
    for (let i = 0; i < this.key.length; i += 2) {
      if (this.key[i] === name) return true;
    }
    return false;
  }
}

function copy(text: ByteString): ByteString {
  return Buffer.from(text, "latin1").toString("latin1");
}

function withInstance(pairs: LabelPairs): LabelPairs {
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] === "instance") return pairs;
  }
  return sortPairs([...pairs, "instance", ""]);
}

/** Up to so many labels, sorting in place is fastest. Beyond, it must not grow with the square of a hostile body. */
const FEW_LABELS = 32;

/** Sorts by name in byte order. */
function sortPairs(pairs: LabelPairs): LabelPairs {
  return pairs.length <= 2 * FEW_LABELS ? insertionSort([...pairs]) : sortMany(pairs);
}

function insertionSort(pairs: ByteString[]): LabelPairs {
  for (let i = 2; i < pairs.length; i += 2) {
    const name = pairs[i] as ByteString;
    const value = pairs[i + 1] as ByteString;
    let at = i;
    for (; at > 0 && (pairs[at - 2] as ByteString) > name; at -= 2) {
      pairs[at] = pairs[at - 2] as ByteString;
      pairs[at + 1] = pairs[at - 1] as ByteString;
    }
    pairs[at] = name;
    pairs[at + 1] = value;
  }
  return pairs;
}

function sortMany(pairs: LabelPairs): LabelPairs {
  const labels: { name: ByteString; value: ByteString }[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    labels.push({ name: pairs[i] as ByteString, value: pairs[i + 1] as ByteString });
  }
  labels.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return labels.flatMap(({ name, value }) => [name, value]);
}
