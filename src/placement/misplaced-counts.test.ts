import { describe, expect, test } from "bun:test";
import type { Member } from "../membership/member.ts";
import { MemberSet } from "../membership/member-set.ts";
import { groupIdOf } from "../sharding/group-id.ts";
import { groupingKeyOf } from "../sharding/grouping-key.ts";
import { WorkSlices } from "../work-slices.ts";
import { Directory } from "./directory.ts";
import { MisplacedCounts } from "./misplaced-counts.ts";

const ADDRESSES = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"];
const GROUPS = 5_000;

const SET = MemberSet.of(
  ADDRESSES.map((address): Member => ({ address, state: "active", draining: false, since: 0, reason: "" })),
);

/** All groups on the first member, those that it does not own on the second, too. Returns how many it does not own. */
function fill(directory: Directory): number {
  const [first = "", second = ""] = ADDRESSES;
  let misplaced = 0;
  for (let i = 0; i < GROUPS; i++) {
    const key = groupingKeyOf(`job-${i}`, []);
    directory.seen(groupIdOf(key), first, 1);
    if (SET.ownerOf(key.canonicalPath)?.address !== first) misplaced++;
    if (SET.ownerOf(key.canonicalPath)?.address === second) directory.seen(groupIdOf(key), second, 1);
  }
  return misplaced;
}

describe("MisplacedCounts", () => {
  test("counts what members hold that belongs to others, once for all who ask at the same time", async () => {
    const directory = new Directory();
    const misplaced = fill(directory);
    const counts = new MisplacedCounts({ directory, slices: new WorkSlices(), members: () => SET });
    const [one, other] = [counts.get(), counts.get()];
    expect(other).toBe(one);
    expect([...(await one)]).toEqual([[ADDRESSES[0] as string, misplaced]]);
  });

  test("counts anew after a while", async () => {
    const directory = new Directory();
    const counts = new MisplacedCounts({ directory, slices: new WorkSlices(), members: () => SET });
    expect((await counts.get()).size).toBe(0);
    const misplaced = fill(directory);
    while ((await counts.get()).size === 0) await Bun.sleep(1);
    expect([...(await counts.get()).values()]).toEqual([misplaced]);
  });
});
