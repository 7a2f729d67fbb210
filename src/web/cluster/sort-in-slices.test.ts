import { expect, test } from "bun:test";
import { WorkSlices } from "../../work-slices.ts";
import { sortInSlices } from "./sort-in-slices.ts";

test.each([0, 1, 2, 2_048, 2_049, 5_000, 12_289])("sortInSlices() sorts %d strings as sort() does", async (length) => {
  // Neither sorted nor without repetitions.
  const strings = Array.from({ length }, (_, index) => `${(index * 7_919) % 10_007}`);
  const before = [...strings];
  expect(await sortInSlices(strings, new WorkSlices())).toEqual(strings.toSorted());
  expect(strings).toEqual(before);
});
