import { SampleLine } from "../../exposition/sample-line.ts";
import type { WorkSlices } from "../../work-slices.ts";

/** Lines between two looks at the clock. */
const STEP = 256;

/**
 * Calls `visit` with each sample from `start` to `end`, and with where its line begins and where the next one does. Ends early
 * when that returns true, and then returns true. Other work gets its turn in between, at the end of a slice.
 */
export async function eachSample(
  bytes: Buffer,
  { start, end }: { readonly start: number; readonly end: number },
  slices: WorkSlices,
  // biome-ignore lint/suspicious/noConfusingVoidType: most visitors want to see every sample and return nothing.
  visit: (line: SampleLine, lineStart: number, next: number) => boolean | void,
): Promise<boolean> {
  const line = new SampleLine();
  let steps = 0;
  for (let at = start; at < end; ) {
    const lineStart = at;
    at = line.read(bytes, at, end);
    if (line.isSample && visit(line, lineStart, at) === true) return true;
    if (++steps % STEP === 0 && slices.isOver) await slices.next();
  }
  // Families of a line each must not add up to a long turn either.
  if (slices.isOver) await slices.next();
  return false;
}
