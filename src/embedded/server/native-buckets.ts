import type { NativeBuckets, NativeHistogram } from "../../exposition/model.ts";

/** Which bounds of a bucket belong to it, in the code of Prometheus' HTTP API. */
const UPPER_ONLY = 0;
const LOWER_ONLY = 1;
const BOTH = 3;

export interface BucketRange {
  readonly bounds: typeof UPPER_ONLY | typeof LOWER_ONLY | typeof BOTH;
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** More of them would be a hostile histogram: spans say in a few bytes that there are billions. */
const MAX_RANGES = 10_000;

/** The buckets of a native histogram that hold something, from the lowest to the highest. */
export function bucketRanges(histogram: NativeHistogram, isFloat: boolean): readonly BucketRange[] {
  const { schema, zeroThreshold, zeroCount, negative, positive } = histogram;
  const below = sideRanges(negative, schema, isFloat).map(({ lower, upper, count }) => ({
    bounds: LOWER_ONLY,
    lower: -upper,
    upper: -lower,
    count,
  }));
  const above = sideRanges(positive, schema, isFloat).map((range) => ({ bounds: UPPER_ONLY, ...range }));
  const zero = zeroCount === 0 ? [] : [{ bounds: BOTH, lower: -zeroThreshold, upper: zeroThreshold, count: zeroCount }];
  return [...below.reverse(), ...zero, ...above] as readonly BucketRange[];
}

interface SideRange {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** The buckets on one side of zero as if it were the positive one, from zero outwards. */
function sideRanges({ spans, deltas, counts }: NativeBuckets, schema: number, isFloat: boolean): SideRange[] {
  const ranges: SideRange[] = [];
  const numbers = isFloat ? counts : deltas;
  let index = 0;
  let place = 0;
  let count = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length && place < numbers.length && ranges.length < MAX_RANGES; i++, index++, place++) {
      count = isFloat ? (numbers[place] as number) : count + (numbers[place] as number);
      if (count !== 0) ranges.push({ lower: bound(index - 1, schema), upper: bound(index, schema), count });
    }
  }
  return ranges;
}

/** Upper bound of a bucket: the base, 2^(2^-schema), to the power of the index. */
function bound(index: number, schema: number): number {
  return 2 ** (index * 2 ** -schema);
}
