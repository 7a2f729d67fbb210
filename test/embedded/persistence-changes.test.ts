import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { GroupStore } from "../../src/embedded/group-store.ts";
import { UnsavedChanges } from "../../src/embedded/persistence-changes.ts";
import { GroupDatabase } from "../../src/embedded/persistence-database.ts";
import { groupOfRow } from "../../src/embedded/persistence-row.ts";
import { parseText } from "../../src/exposition/text-parser.ts";
import { keyOfGroupId } from "../../src/sharding/group-id.ts";
import { temporaryFolder } from "../support/server-process.ts";

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder("changes");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const job = fc.constantFrom("a", "b", "c", "d");
const body = fc.constantFrom("", "x 1\n", "x 2\n", "y 1\n", "x 1\ny 2\n");
const step = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom("put", "post"), job, body) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("delete"), job) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("wipe")) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("save")) },
  // What comes while a save is under way that then fails.
  { weight: 2, arbitrary: fc.tuple(fc.constant("begin")) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("fail")) },
);

/** A store and its file, with a save that takes as long as the steps want. */
class Life {
  readonly store = new GroupStore({ utf8Names: false, ownFamilies: [] });
  readonly #unsaved = new UnsavedChanges();
  #database: GroupDatabase;
  #taken: UnsavedChanges | undefined;
  #now = 0;

  constructor(file: string) {
    this.#database = new GroupDatabase(file);
    this.store.observe(this.#unsaved);
  }

  do([what, id = "", text = ""]: readonly string[]): void {
    const key = keyOfGroupId(id);
    const families = parseText(Buffer.from(text));
    if (what === "put") this.store.replace(key, families, ++this.#now);
    else if (what === "post") this.store.update(key, families, ++this.#now);
    else if (what === "delete") this.store.delete(key);
    else if (what === "wipe") this.store.wipe();
    else if (what === "begin") this.#taken ??= this.#unsaved.take();
    else if (what === "fail") this.#fail();
    else if (what === "save") this.save();
  }

  save(): void {
    const taken = this.#taken ?? this.#unsaved.take();
    for (const slice of taken.slices()) this.#database.write(slice);
    this.#taken = undefined;
  }

  /** The groups as a server finds them at its next start. */
  saved(): unknown {
    const store = new GroupStore({ utf8Names: false, ownFamilies: [] });
    for (const row of this.#database.read(0).rows) store.restore(groupOfRow(row));
    return contents(store);
  }

  close(): void {
    this.#database.close();
  }

  #fail(): void {
    if (this.#taken === undefined) return;
    // All but the end of the transaction.
    for (const slice of this.#taken.slices()) this.#database.write({ ...slice, isLast: false });
    this.#unsaved.putBack(this.#taken);
    this.#taken = undefined;
  }
}

function contents(store: GroupStore): unknown {
  return Array.from(store.groups(), ({ version, ...group }) => structuredClone({ ...group, labels: group.labels.key }));
}

describe("changes of a store", () => {
  test("leave in the file what the store holds, in its order, whichever saves fail", () => {
    let files = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const life = new Life(join(folder, String(++files)));
        try {
          for (const one of steps) life.do(one);
          // The first ends a save that is under way.
          life.save();
          life.save();
          expect(life.saved()).toEqual(contents(life.store));
        } finally {
          life.close();
        }
      }),
      {
        numRuns: 200,
        // A group that was written by a save that failed, and meanwhile was deleted and came anew behind another one.
        examples: [[[["put", "d"], ["begin"], ["delete", "d"], ["put", "a"], ["put", "d"], ["fail"]]]],
      },
    );
  }, 60_000);
});
