import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ChildProcess } from "../support/child-process.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";
import { SavedGroups } from "./saved-groups.ts";

const ROUNDS = 8;
/** Of the driver. */
const GROUPS = 500;

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder("crash");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** The greatest number that the driver has printed behind the word; 0 before the first. */
function last(word: string, child: ChildProcess): number {
  const lines = child.output().matchAll(new RegExp(`^${word} (\\d+)$`, "gm"));
  return Math.max(0, ...Array.from(lines, ([, number]) => Number(number)));
}

/** Runs the driver until it has acknowledged so many pushes of this run, kills it, and says how many it had by then. */
async function runAndKill(file: string, sync: string, intervalMs: number, pushes: number): Promise<number> {
  const argv = [process.execPath, join(import.meta.dir, "persistence-driver.ts"), file, sync, String(intervalMs)];
  const child = new ChildProcess(argv);
  await waitFor("pushes", async () => last("acknowledged", child) >= last("loaded", child) + pushes);
  child.kill("SIGKILL");
  await child.exited;
  return last("acknowledged", child);
}

/** The values of all groups in the file, each pushed at the time that is its value. */
async function savedValues(file: string): Promise<readonly number[]> {
  await using groups = await SavedGroups.open(file);
  return Array.from(groups.store.groups(), ({ pushTime, families }) => {
    expect(families[0]?.metrics[0]?.value).toBe(pushTime);
    return pushTime;
  });
}

describe("a server that is killed under load", () => {
  test("loses no acknowledged push when each push is durable", async () => {
    const file = join(folder, "push");
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await runAndKill(file, "push", 1, 100 + 37 * round);
      const values = new Set(await savedValues(file));
      // Each group holds its last push, so of the last pushes to all groups none may be missing or older.
      const newest = Math.max(...values);
      expect(newest).toBeGreaterThanOrEqual(acknowledged);
      for (let value = acknowledged; value > acknowledged - 40; value--) {
        const group = [...values].filter((saved) => saved % GROUPS === value % GROUPS);
        expect(Math.max(...group)).toBeGreaterThanOrEqual(value);
      }
    }
  }, 120_000);

  test("leaves the store as it was at one moment when it saves by time", async () => {
    const file = join(folder, "interval");
    for (let round = 0; round < ROUNDS; round++) {
      await runAndKill(file, "interval", 5, 1_000 + 337 * round);
      const values = [...(await savedValues(file))].sort((a, b) => a - b);
      if (values.length === 0) continue;
      // The pushes went to the groups in turn, so at any moment these held consecutive numbers.
      const [first = 0] = values;
      expect(values).toEqual(values.map((_, index) => first + index));
    }
    expect(await savedValues(file)).not.toBeEmpty();
  }, 120_000);
});
