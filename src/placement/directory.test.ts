import { describe, expect, test } from "bun:test";
import { Directory } from "./directory.ts";

const ID = "job";

function holders(directory: Directory): readonly string[] {
  return (directory.get(ID)?.holders ?? [])
    .map(({ address, doubtedAt }) => (doubtedAt === undefined ? address : `${address}?`))
    .sort();
}

describe("Directory", () => {
  test("knows who held a group before the member that acknowledged it", () => {
    const directory = new Directory();
    directory.seen(ID, "a", 1);
    directory.acknowledged(ID, { address: "b", wholeAt: 2, at: 2 }, ["c"]);
    expect(holders(directory)).toEqual(["a", "b", "c"]);
    expect(directory.get(ID)?.truth).toEqual({ address: "b", wholeAt: 2, at: 2 });
  });

  test("ends the doubt about a member that acknowledges, and about no other", () => {
    const directory = new Directory();
    directory.doubted(ID, "a", 1);
    directory.doubted(ID, "b", 1);
    directory.acknowledged(ID, { address: "b", wholeAt: 2, at: 2 }, ["a"]);
    expect(holders(directory)).toEqual(["a?", "b"]);
  });

  test("keeps groups apart that were seen on one member by one look", () => {
    const directory = new Directory();
    for (const id of [ID, "other", "third"]) directory.seen(id, "a", 1);
    directory.doubted("other", "a", 2);
    directory.acknowledged("third", { address: "b", wholeAt: 3, at: 3 }, []);
    expect(directory.get(ID)).toEqual({
      truth: undefined,
      holders: [{ address: "a", doubtedAt: undefined, since: 1 }],
    });
    expect(directory.get("other")?.holders).toEqual([{ address: "a", doubtedAt: 2, since: 2 }]);
    expect(
      directory
        .get("third")
        ?.holders.map(({ address }) => address)
        .sort(),
    ).toEqual(["a", "b"]);
  });

  test("knows when a copy was seen last", () => {
    const directory = new Directory();
    for (const now of [1, 2]) for (const address of ["a", "b"]) directory.seen(ID, address, now);
    expect(directory.get(ID)?.holders.map(({ since }) => since)).toEqual([2, 2]);
  });

  test("keeps a doubt when the copy is seen", () => {
    const directory = new Directory();
    directory.doubted(ID, "a", 1);
    directory.seen(ID, "a", 2);
    expect(holders(directory)).toEqual(["a?"]);
  });

  test("forgets a group that is at its owner only", () => {
    const directory = new Directory();
    directory.acknowledged(ID, { address: "a", wholeAt: 1, at: 1 }, ["b"]);
    directory.dropIfAtHome(ID, "a");
    expect(directory.size).toBe(1);
    directory.forget(ID, "b");
    directory.dropIfAtHome(ID, "a");
    expect(directory.size).toBe(0);
  });

  test("keeps a deletion until nobody can hold a copy, be it the owner", () => {
    const directory = new Directory();
    directory.deleted(ID, 1, ["a"]);
    directory.dropIfAtHome(ID, "a");
    expect(directory.get(ID)?.truth?.address).toBeUndefined();
    expect(holders(directory)).toEqual(["a"]);
    directory.forget(ID, "a");
    expect(directory.size).toBe(0);
  });

  test("knows what was pushed since a deletion by who had no copy then", () => {
    const directory = new Directory();
    directory.seen(ID, "a", 1);
    expect(directory.isNewAt(ID, "a")).toBe(false);
    directory.deleted(ID, 2, ["b", "c"]);
    directory.forget(ID, "c");
    for (const address of ["a", "b", "c"]) directory.seen(ID, address, 3);
    expect(["a", "b", "c", "d"].map((address) => directory.isNewAt(ID, address))).toEqual([true, false, true, false]);
    directory.seen(ID, "a", 4);
    expect(directory.isNewAt(ID, "a")).toBe(true);
    directory.deleted(ID, 5, ["a"]);
    directory.seen(ID, "a", 6);
    expect(directory.isNewAt(ID, "a")).toBe(false);
    directory.acknowledged(ID, { address: "b", wholeAt: 7, at: 7 }, []);
    directory.seen(ID, "c", 8);
    expect(directory.isNewAt(ID, "c")).toBe(false);
  });

  test("keeps nothing of a deletion that reached everybody", () => {
    const directory = new Directory();
    directory.seen(ID, "a", 1);
    directory.deleted(ID, 2, []);
    directory.forget(ID, "a");
    expect(directory.size).toBe(0);
  });

  test("takes no more than it has room for, and counts what it left out", () => {
    const directory = new Directory(5);
    for (const id of ["one", "two", "three", "four", "five"]) directory.doubted(id, "a", 1);
    directory.doubted("six", "a", 1);
    directory.seen("one", "b", 1);
    expect(directory.size).toBe(5);
    expect(directory.overflowed).toBe(1);
  });

  test("keeps room for what nobody can look up: deletions, doubts and acknowledgements", () => {
    const directory = new Directory(10);
    for (let group = 0; group < 20; group++) directory.seen(`seen ${group}`, "a", 1);
    expect(directory.overflowed).toBe(12);
    directory.deleted("deleted", 2, ["a"]);
    directory.doubted("doubted", "a", 2);
    expect(directory.overflowed).toBe(12);
    expect([directory.get("deleted"), directory.get("doubted")]).not.toContain(undefined);
  });

  test("knows nothing after a wipe but that pushes given up before are deleted, too", () => {
    const directory = new Directory();
    directory.acknowledged("plain", { address: "a", wholeAt: 1, at: 1 }, ["b"]);
    directory.doubted("doubted", "a", 1);
    directory.acknowledged("doubted", { address: "b", wholeAt: 2, at: 2 }, []);
    directory.deleted("deleted", 3, ["a"]);
    directory.acknowledged("pushed since", { address: "a", wholeAt: 12, at: 12 }, ["b"]);
    directory.wiped(10);
    expect(directory.get("plain")).toBeUndefined();
    expect(directory.get("doubted")).toEqual({
      truth: { address: undefined, wholeAt: 10, at: 10 },
      holders: [{ address: "a", doubtedAt: 1, since: 1 }],
    });
    expect(directory.get("deleted")?.holders.map(({ address }) => address)).toEqual(["a"]);
    expect(directory.get("pushed since")?.truth?.at).toBe(12);
  });
});
