import type { FamilyRange } from "../../exposition/family-ranges.ts";
import type { LabelPairs } from "../../exposition/model.ts";
import type { SampleLine } from "../../exposition/sample-line.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import type { GroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";
import type { CopyFilter } from "./copy-filter.ts";
import { eachSample } from "./each-sample.ts";
import type { MemberText } from "./group-copies.ts";

/** A series of one member: its family and labels in one string. */
export type SeriesId = ByteString;

const SEPARATOR = "\xff";

/**
 * The groups that count and that an ambiguous series of the text may be of. Whoever knows their series knows which of the
 * ambiguous ones stay.
 */
export async function groupsOfAmbiguousSeries(
  { bytes, families }: MemberText,
  filter: CopyFilter,
  slices: WorkSlices,
): Promise<ReadonlySet<GroupId>> {
  const groups = new Set<GroupId>();
  if (!filter.canBeAmbiguous) return groups;
  for (const range of families) {
    await eachSample(bytes, range, slices, (line) => {
      if (filter.verdict(range.name, line) !== "ambiguous") return;
      for (const group of filter.countingGroups(line)) groups.add(group);
    });
  }
  return groups;
}

export function seriesIdOf(family: ByteString, labels: LabelPairs): SeriesId {
  const pairs: ByteString[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}${SEPARATOR}${labels[i + 1]}`);
  return [family, ...pairs.sort()].join(SEPARATOR);
}

/** The series that a line belongs to: a histogram and a summary have several lines, told apart by a label of their own. */
export function seriesIdOfLine({ name, type }: FamilyRange, line: SampleLine): SeriesId {
  const bound = type === "histogram" ? "le" : type === "summary" ? "quantile" : undefined;
  const labels = line.labels();
  const at = bound === undefined ? -1 : labels.findIndex((label, index) => index % 2 === 0 && label === bound);
  return seriesIdOf(name, at === -1 ? labels : labels.toSpliced(at, 2));
}
