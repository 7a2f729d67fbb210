import { describe, expect, test } from "bun:test";
import { groupIdOf } from "../sharding/group-id.ts";
import { groupingKeyOf } from "../sharding/grouping-key.ts";
import { PushJournal } from "./push-journal.ts";

const ID = groupIdOf(groupingKeyOf("a", []));

describe("PushJournal", () => {
  test("tells a reader only of pushes since its own look, whoever else reads", async () => {
    const journal = new PushJournal();
    const first = Promise.withResolvers<void>();
    const earlier = journal.during(() => first.promise);
    journal.note(ID, 1_000);
    await journal.during(async () => {
      expect([journal.has(ID, 900), journal.has(ID, 1_000), journal.has(ID, 1_001)]).toEqual([true, true, false]);
      journal.note(ID, 2_000);
      expect(journal.has(ID, 1_001)).toBe(true);
    });
    first.resolve();
    await earlier;
  });

  test("is kept until the last reader has left", async () => {
    const journal = new PushJournal();
    await journal.during(async () => {
      await journal.during(async () => journal.note(ID, 1_000));
      expect([journal.isOpen, journal.has(ID, 0)]).toEqual([true, true]);
    });
    expect([journal.isOpen, journal.has(ID, 0)]).toEqual([false, false]);
  });
});
