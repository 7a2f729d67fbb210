import { expect, test } from "bun:test";
import { groupingKeyOf } from "../sharding/grouping-key.ts";
import { isExpired } from "./group-expiry.ts";

const RULES = [
  { matches: ({ job }: { job: string }) => job === "spark", afterMs: 60_000 },
  { matches: () => true, afterMs: 600_000 },
];
const at = (seconds: number, uncertainty = 0) => ({ seconds, uncertainty });

test.each([
  ["spark", at(0), 60_001, true],
  ["spark", at(0), 60_000, false],
  ["spark", at(0, 5), 64_000, false],
  ["other", at(0), 60_001, false],
  ["other", at(0), 600_001, true],
])("a group of job %p pushed at %j has expired at %p: %p", (job, pushedAt, now, expired) => {
  expect(isExpired(RULES, groupingKeyOf(job, []), pushedAt, now)).toBe(expired);
});

test("nothing expires without rules", () => {
  expect(isExpired([], groupingKeyOf("a", []), at(0), Number.MAX_SAFE_INTEGER)).toBe(false);
});
