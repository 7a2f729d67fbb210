import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createLogger } from "../../src/log.ts";
import { ChildProcess } from "../support/child-process.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";
import { SavedGroups } from "./saved-groups.ts";

const ROUNDS = 8;
/** With numbers, of the driver. */
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

/** The values of all groups in the file, each pushed at the time that is its value. All of them must fit in a store. */
async function savedValues(file: string): Promise<readonly number[]> {
  const errors: string[] = [];
  const log = createLogger({ level: "error", format: "logfmt", write: (line) => errors.push(line) });
  await using groups = await SavedGroups.open(file, { log });
  expect(errors).toEqual([]);
  const numbered = [...groups.store.groups()].filter(({ id }) => id.startsWith("job"));
  return numbered.map(({ pushTime, families }) => {
    expect(families[0]?.metrics[0]?.value).toBe(pushTime);
    return pushTime;
  });
}

describe("a server that is killed under load", () => {
  test("loses no acknowledged push when each push is durable", async () => {
    const file = join(folder, "push");
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await runAndKill(file, "push", 1, 1_000 * (round + 1));
      const values = await savedValues(file);
      // The last numbers went one to each group, which has that one or a later one.
      expect(values).toHaveLength(GROUPS);
      expect(Math.min(...values)).toBeGreaterThan(acknowledged - GROUPS);
    }
  }, 120_000);

  test("leaves groups that fit together when it saves by time", async () => {
    const file = join(folder, "interval");
    for (let round = 0; round < ROUNDS; round++) {
      await runAndKill(file, "interval", 5, 1_000 + 337 * round);
      await savedValues(file);
    }
    expect(await savedValues(file)).toHaveLength(GROUPS);
  }, 120_000);
});
