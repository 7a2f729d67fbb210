import type { LabelPairs } from "../exposition/model.ts";
import type { ByteString } from "../sharding/byte-string.ts";

/** Identifies a series among those of its family: the same for the same labels in any order. */
export type SeriesKey = ByteString;

/** No byte of UTF-8, and a Pushgateway stores nothing else. */
const SEPARATOR = "\xff";

export function seriesKeyOf(labels: LabelPairs): SeriesKey {
  if (isAscending(labels)) return labels.join(SEPARATOR);
  const pairs: (readonly [name: ByteString, value: ByteString])[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i] as ByteString, labels[i + 1] as ByteString]);
  pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return pairs.flat().join(SEPARATOR);
}

function isAscending(labels: LabelPairs): boolean {
  for (let i = 2; i < labels.length; i += 2) {
    if ((labels[i - 2] as ByteString) > (labels[i] as ByteString)) return false;
  }
  return true;
}
