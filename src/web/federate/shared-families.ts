import type { FamilyRange } from "../../exposition/family-ranges.ts";
import { exposedName } from "../../exposition/text-labels.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import type { WorkSlices } from "../../work-slices.ts";
import type { MemberText } from "./group-copies.ts";

/** What one text has of a family. */
export interface FamilyPart {
  /** Index of the text. */
  readonly index: number;
  readonly range: FamilyRange;
}

/** The parts of each family, in the order of the texts, by the name under which it is shown. */
export type SharedFamilies = ReadonlyMap<ByteString, readonly FamilyPart[]>;

/** Two families that cannot both be shown as what they are. The second is of the same name, or of one that the first uses. */
export interface TypeClash {
  readonly name: ByteString;
  readonly one: FamilyPart;
  readonly other: FamilyPart;
}

/** Families between two looks at the clock. */
const STEP = 256;

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ["_bucket", "_sum", "_count"],
  summary: ["_sum", "_count"],
};

/** `utf8Names`: whether names are shown as they are. Without that, different ones may look alike, and then are one family. */
export async function shareFamilies(
  texts: readonly MemberText[],
  utf8Names: boolean,
  slices: WorkSlices,
): Promise<SharedFamilies> {
  const families = new Map<ByteString, FamilyPart[]>();
  for (const [index, text] of texts.entries()) {
    for (const range of text.families) {
      addPart(families, utf8Names ? range.name : exposedName(range.name), { index, range });
      if (families.size % STEP === 0 && slices.isOver) await slices.next();
    }
  }
  return families;
}

function addPart(families: Map<ByteString, FamilyPart[]>, name: ByteString, part: FamilyPart): void {
  const parts = families.get(name);
  if (parts === undefined) families.set(name, [part]);
  else parts.push(part);
}

/**
 * Finds the families that clash, by name: those with several types, and those called like the samples of a histogram or a
 * summary, together with that. No Pushgateway has such by itself. The first clash of a name is told.
 */
export async function findTypeClashes(
  families: SharedFamilies,
  slices: WorkSlices,
): Promise<ReadonlyMap<ByteString, TypeClash>> {
  const clashes = new Map<ByteString, TypeClash>();
  const note = (name: ByteString, one: FamilyPart | undefined, other: FamilyPart | undefined) => {
    if (one !== undefined && other !== undefined && !clashes.has(name)) clashes.set(name, { name, one, other });
  };
  let steps = 0;
  for (const [name, parts] of families) {
    if (++steps % STEP === 0 && slices.isOver) await slices.next();
    note(
      name,
      parts[0],
      parts.find(({ range }) => range.type !== parts[0]?.range.type),
    );
    for (const part of firstOfEachType(parts)) {
      for (const suffix of SUFFIXES[part.range.type] ?? []) {
        const other = families.get(name + suffix)?.[0];
        note(name, part, other);
        note(name + suffix, part, other);
      }
    }
  }
  return clashes;
}

function firstOfEachType(parts: readonly FamilyPart[]): readonly FamilyPart[] {
  return parts.filter((part, index) => parts.findIndex(({ range }) => range.type === part.range.type) === index);
}
