import type { WorkSlices } from "../../work-slices.ts";

/** So much is sorted, or merged, between two looks at the clock. */
const RUN_LENGTH = 2_048;

/** The strings in ascending order of their code units. Other work gets its turn in between: 100,000 take a tenth of a second. */
export async function sortInSlices(strings: readonly string[], slices: WorkSlices): Promise<readonly string[]> {
  let from: string[] = [];
  for (let start = 0; start < strings.length; start += RUN_LENGTH) {
    from.push(...strings.slice(start, start + RUN_LENGTH).sort());
    if (slices.isOver) await slices.next();
  }
  for (let width = RUN_LENGTH; width < from.length; width *= 2) {
    const to: string[] = [];
    for (let start = 0; start < from.length; start += 2 * width) await mergeRuns(from, start, width, to, slices);
    from = to;
  }
  return from;
}

/** Adds two neighbouring runs of up to `width` strings to `to`, as one. */
async function mergeRuns(
  from: readonly string[],
  start: number,
  width: number,
  to: string[],
  slices: WorkSlices,
): Promise<void> {
  const middle = Math.min(start + width, from.length);
  const end = Math.min(middle + width, from.length);
  let left = start;
  let right = middle;
  for (let at = start; at < end; at++) {
    const takesLeft = right === end || (left < middle && (from[left] as string) <= (from[right] as string));
    to.push(from[takesLeft ? left++ : right++] as string);
    if (at % RUN_LENGTH === 0 && slices.isOver) await slices.next();
  }
}
