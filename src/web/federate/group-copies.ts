import type { FamilyRange } from "../../exposition/family-ranges.ts";
import type { LabelPairs } from "../../exposition/model.ts";
import { SampleLine } from "../../exposition/sample-line.ts";
import { formatLabels } from "../../exposition/text-labels.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import { type GroupId, groupIdOf, keyOfGroupId } from "../../sharding/group-id.ts";
import { groupingKeyOf, type Label } from "../../sharding/grouping-key.ts";
import type { WorkSlices } from "../../work-slices.ts";
import type { ChooseCopy, GroupCopy } from "../cluster/group-copy.ts";
import { eachSample } from "./each-sample.ts";
import type { PushTime, ShownTimes } from "./shown-times.ts";

/** One member's metrics as text, and where the families are in it. */
export interface MemberText {
  readonly address: string;
  readonly bytes: Buffer;
  readonly families: readonly FamilyRange[];
}

export const PUSH_TIME = "push_time_seconds";
export const PUSH_FAILURE_TIME = "push_failure_time_seconds";

/** Above the longest text; a place is a text's index and an offset in one number. */
const OFFSETS = 2 ** 40;

/** Who says which copies count. */
export interface CopyJudge {
  readonly choose: ChooseCopy;
  /** Groups of which even an only copy may not count. Of all others it does, and nobody is asked. */
  readonly questioned: () => Iterable<GroupId>;
  /** A member's push time by this router's clock. */
  readonly localTime: (address: string, pushTime: number) => PushTime["pushedAt"];
}

/**
 * Finds the copies that do not count: for each text, by its index, the groups that it holds in such a copy. Each group has exactly
 * one series that tells its push time, so that these series tell the copies.
 */
export async function findLosingCopies(
  texts: readonly MemberText[],
  { choose, questioned, localTime }: CopyJudge,
  shown: ShownTimes,
  slices: WorkSlices,
): Promise<ReadonlyMap<number, ReadonlySet<GroupId>>> {
  const losing = new Map<number, Set<GroupId>>();
  const line = new SampleLine();
  const now = Date.now();
  const timed = ({ address, pushTime }: GroupCopy): PushTime => {
    return { address, pushTime, pushedAt: localTime(address, pushTime) };
  };
  for (const places of await findDoubtfulGroups(texts, [questioned(), shown.groups(now)], slices)) {
    const copies = places.map((place) => {
      const index = Math.floor(place / OFFSETS);
      const text = texts[index] as MemberText;
      return { index, address: text.address, pushTime: readPushTime(line, text.bytes, place % OFFSETS) };
    });
    // The line that was read last: all are of the same group.
    const id = exposedGroupId(line.labels());
    const chosen = choose(id, copies);
    const winner = copies.find(({ address }) => address === chosen);
    const isShown = winner !== undefined && shown.admits(id, timed(winner), copies.length > 1, now);
    for (const copy of copies) {
      if (isShown && copy === winner) continue;
      const { index } = copy;
      const ids = losing.get(index) ?? new Set();
      losing.set(index, ids.add(id));
    }
    if (slices.isOver) await slices.next();
  }
  return losing;
}

/** The places of the push times of each group that is in several texts or among the watched ones, in the order of the texts. */
async function findDoubtfulGroups(
  texts: readonly MemberText[],
  watched: readonly Iterable<GroupId>[],
  slices: WorkSlices,
): Promise<Iterable<readonly number[]>> {
  const firstPlaces = new Map<ByteString, number>();
  const doubtful = new Map<ByteString, number[]>();
  for (const [index, text] of texts.entries()) {
    await eachPushTime(text, slices, (line, offset) => {
      const place = index * OFFSETS + offset;
      // Members sort the labels and escape them alike, so that the same text means the same group.
      const labels = line.labelsText;
      const first = firstPlaces.get(labels);
      if (first === undefined) firstPlaces.set(labels, place);
      else if (Math.floor(first / OFFSETS) !== index) {
        const places = doubtful.get(labels);
        if (places === undefined) doubtful.set(labels, [first, place]);
        else places.push(place);
      }
    });
  }
  for (const ids of watched) {
    for (const id of ids) {
      const labels = exposedLabelsText(id);
      const first = firstPlaces.get(labels);
      if (first !== undefined && !doubtful.has(labels)) doubtful.set(labels, [first]);
      if (slices.isOver) await slices.next();
    }
  }
  return doubtful.values();
}

/** Calls `visit` with the line that tells the push time of each group, and with its offset. */
export async function eachPushTime(
  { bytes, families }: MemberText,
  slices: WorkSlices,
  visit: (line: SampleLine, offset: number) => void,
): Promise<void> {
  for (const range of families.filter(({ name }) => name === PUSH_TIME)) {
    await eachSample(bytes, range, slices, (line, start) => {
      if (line.labelCount > 0) visit(line, start);
    });
  }
}

function readPushTime(line: SampleLine, bytes: Buffer, offset: number): number {
  const next = line.read(bytes, offset, bytes.length);
  const time = Number(line.valueText(next).trim());
  return Number.isFinite(time) ? time : 0;
}

/**
 * The group that labels of its push time belong to. A Pushgateway adds an empty instance where the grouping key has none, and a
 * group that means the empty instance looks the same. It counts as the group without one, with which it shares its series.
 */
export function exposedGroupId(pairs: LabelPairs): GroupId {
  let job = "";
  const labels: Label[] = [];
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i] as ByteString;
    const value = pairs[i + 1] as ByteString;
    if (name === "job") job = value;
    else if (name !== "instance" || value !== "") labels.push({ name, value });
  }
  return groupIdOf(groupingKeyOf(job, labels));
}

/** The reverse, with the braces around it. */
function exposedLabelsText(id: GroupId): ByteString {
  const { job, labels } = keyOfGroupId(id);
  const all = [{ name: "job", value: job }, ...labels];
  if (!labels.some(({ name }) => name === "instance")) all.push({ name: "instance", value: "" });
  const sorted = all.sort((one, other) => (one.name < other.name ? -1 : 1));
  return `{${formatLabels(sorted.flatMap(({ name, value }) => [name, value]))}}`;
}
