import { describe, expect, test } from "bun:test";
import { type ChoiceContext, chooseCopy, type SeenCopy } from "./copy-choice.ts";

const NOTHING_KNOWN: ChoiceContext = { truth: undefined, truthIsOutOfReach: false, owner: "a" };

/** `doubted`: when a push was given up there, in seconds. */
function copy(address: string, seconds: number, doubted?: number): SeenCopy {
  const doubtedAt = doubted === undefined ? undefined : doubted * 1000;
  return { address, pushedAt: { seconds, uncertainty: 0.1 }, doubtedAt, isNew: false };
}

/** On a member that had none when the group was deleted. */
const newCopy = (address: string, seconds: number): SeenCopy => ({ ...copy(address, seconds), isNew: true });

const knows = (address: string | undefined, at: number, rest: Partial<ChoiceContext> = {}): ChoiceContext => ({
  ...NOTHING_KNOWN,
  truth: { address, wholeAt: at * 1000, at: at * 1000 },
  ...rest,
});

describe("chooseCopy()", () => {
  test.each<[string, readonly SeenCopy[], ChoiceContext, string | undefined, readonly string[], string]>([
    ["one copy", [copy("b", 10)], NOTHING_KNOWN, "b", [], "clocks"],
    ["the newest copy, wherever it is", [copy("a", 10), copy("b", 20)], NOTHING_KNOWN, "b", ["a"], "clocks"],
    ["the owner's of two pushed at the same time", [copy("b", 10.1), copy("a", 10)], NOTHING_KNOWN, "a", ["b"], "tie"],
    ["the lowest address where the owner has none", [copy("c", 10.1), copy("b", 10)], NOTHING_KNOWN, "b", ["c"], "tie"],
    [
      "no doubtful copy over what was pushed since, however new it looks",
      [copy("a", 10), copy("b", 99, 9)],
      NOTHING_KNOWN,
      "a",
      ["b"],
      "clocks",
    ],
    [
      "a doubtful copy over what was pushed before the doubt: at worst it holds what its member acknowledged before",
      [copy("a", 5), copy("b", 10, 11)],
      NOTHING_KNOWN,
      "b",
      ["a"],
      "clocks",
    ],
    [
      "a doubtful copy over older ones when it is the acknowledged one",
      [copy("a", 5), copy("b", 10, 11)],
      knows("b", 10.5),
      "b",
      ["a"],
      "known",
    ],
    [
      "nothing of what may be from before its deletion",
      [copy("a", 9.95)],
      knows(undefined, 10),
      undefined,
      ["a"],
      "known",
    ],
    [
      "what was pushed in the moment of its deletion to a member that had it deleted",
      [newCopy("a", 9.95), copy("b", 9.95)],
      knows(undefined, 10),
      "a",
      ["b"],
      "known",
    ],
    [
      "nothing of what a member is dating back beyond its deletion",
      [newCopy("a", 9)],
      knows(undefined, 10),
      undefined,
      ["a"],
      "known",
    ],
    [
      "no copy in doubt when what was acknowledged since is out of reach",
      [copy("a", 99, 8)],
      knows("b", 9, { truthIsOutOfReach: true }),
      undefined,
      ["a"],
      "known",
    ],
    ["a doubtful copy that is the only one", [copy("b", 10, 9)], NOTHING_KNOWN, "b", [], "clocks"],
    [
      "the acknowledged copy where clocks are at odds",
      [copy("a", 10), copy("b", 9)],
      knows("b", 12),
      "b",
      ["a"],
      "known",
    ],
    ["a copy pushed after the acknowledgement", [copy("a", 10), copy("b", 9)], knows("b", 9.5), "a", ["b"], "clocks"],
    ["none after a deletion", [copy("a", 10), copy("b", 9)], knows(undefined, 11), undefined, ["a", "b"], "known"],
    ["what was pushed after a deletion", [copy("a", 12), copy("b", 9)], knows(undefined, 11), "a", ["b"], "known"],
    [
      "the newest left when the acknowledged copy is lost",
      [copy("a", 10), copy("c", 9)],
      knows("b", 12),
      "a",
      ["c"],
      "clocks",
    ],
    [
      "none when the acknowledged copy is out of reach",
      [copy("a", 10)],
      knows("b", 12, { truthIsOutOfReach: true }),
      undefined,
      ["a"],
      "known",
    ],
    [
      "no doubtful copy although it looks pushed after the acknowledgement",
      [copy("a", 99, 8), copy("b", 9)],
      knows("b", 12),
      "b",
      ["a"],
      "known",
    ],
  ])("keeps %s", (_, copies, context, keep, stale, by) => {
    const choice = chooseCopy(copies, context);
    expect(choice.keep).toBe(keep);
    expect(choice.stale.toSorted()).toEqual([...stale]);
    expect(choice.by).toBe(by as typeof choice.by);
  });

  test("keeps the newer one of two pushed at the same time where it is only shown", () => {
    const copies = [copy("a", 10), copy("b", 10.05)];
    expect(chooseCopy(copies, { ...NOTHING_KNOWN, isForShow: true }).keep).toBe("b");
  });

  test("does not depend on the order of the copies", () => {
    const copies = [copy("b", 10.05), copy("c", 10.1), copy("a", 3)];
    const context = { ...NOTHING_KNOWN, owner: "d" };
    const choices = [copies, copies.toReversed()].map((seen) => chooseCopy(seen, context).keep);
    expect(choices).toEqual(["b", "b"]);
  });
});
