import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmod,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { PersistenceError } from "../../src/embedded/persistence-error.ts";
import { createLogger } from "../../src/log.ts";
import { ChildProcess } from "../support/child-process.ts";
import { describeWithParts } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";
import { SavedGroups } from "./saved-groups.ts";

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder("persistence");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

let files = 0;
function newFile(): string {
  return join(folder, `groups-${++files}`);
}

/** The text of what another server finds in the file. */
async function savedText(file: string): Promise<string> {
  await using groups = await SavedGroups.open(file);
  return groups.text();
}

/** Saves some groups and closes. */
async function makeFile(file = newFile()): Promise<string> {
  await using groups = await SavedGroups.open(file);
  groups.put("a", "x 1\n");
  return file;
}

async function refusal(file: string): Promise<string> {
  const opening = SavedGroups.open(file).then((groups) => groups.persistence.close());
  const error = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(PersistenceError);
  return (error as PersistenceError).message;
}

describe("a persistence file", () => {
  test("brings back all groups as they were, in their order, after a close", async () => {
    const file = newFile();
    let text: string;
    {
      await using groups = await SavedGroups.open(file);
      expect(groups.store.size).toBe(0);
      groups.put("b", '# HELP x First.\n# TYPE x counter\nx{l="\\"é"} NaN\n', 5);
      groups.put("a", "# TYPE x counter\n# HELP x Second.\nx -0\ny +Inf\n", 6);
      text = groups.text();
    }
    expect(await savedText(file)).toBe(text);
    expect(text.indexOf('job="b"')).toBeLessThan(text.indexOf('job="a"'));
  });

  test("keeps the order in which groups came, those that left and returned last", async () => {
    const file = newFile();
    await using groups = await SavedGroups.open(file);
    for (const job of ["a", "b", "c", "d"]) groups.put(job, "x 1\n");
    await groups.persistence.durable();
    // One that was saved, one that never was.
    groups.delete("a");
    groups.put("e", "x 1\n");
    groups.delete("e");
    groups.put("f", "x 1\n");
    groups.put("a", "x 2\n");
    groups.put("e", "x 2\n");
    groups.put("b", "x 3\n");
    const text = groups.text();
    await groups.persistence.close();
    expect(await savedText(file)).toBe(text);
  });

  test("forgets deleted groups, and all at a wipe but what came since", async () => {
    const file = newFile();
    {
      await using groups = await SavedGroups.open(file);
      for (const job of ["a", "b", "c"]) groups.put(job, "x 1\n");
      await groups.persistence.durable();
      groups.delete("b");
      groups.delete("never there");
    }
    {
      await using groups = await SavedGroups.open(file);
      expect(Array.from(groups.store.groups(), ({ id }) => id)).toEqual(["a", "c"]);
      groups.put("d", "x 1\n");
      groups.store.wipe();
      groups.put("e", "x 1\n");
    }
    {
      await using groups = await SavedGroups.open(file);
      expect(Array.from(groups.store.groups(), ({ id }) => id)).toEqual(["e"]);
      groups.store.wipe();
    }
    expect(await savedText(file)).toBe("");
  });

  test("holds more groups than go in a slice, large ones among them", async () => {
    const file = newFile();
    await using groups = await SavedGroups.open(file);
    for (let i = 0; i < 1_000; i++) groups.put(`job${i}`, `x ${i}\n`);
    for (let i = 0; i < 5; i++) groups.put(`large${i}`, `y{l="${"z".repeat(300_000)}"} ${i}\n`);
    const text = groups.text();
    await groups.persistence.close();
    expect(await savedText(file)).toBe(text);
  });

  test("writes a group once that was pushed often, and many durable pushes in one transaction", async () => {
    await using groups = await SavedGroups.open(newFile());
    for (let i = 0; i < 1_000; i++) groups.put("a", `x ${i}\n`);
    for (let i = 0; i < 10; i++) groups.put(`b${i}`, "x 1\n");
    expect(groups.persistence.stats).toMatchObject({ unsaved: 11, saves: 0, lastSave: 0 });
    await Promise.all(Array.from({ length: 10 }, () => groups.persistence.durable()));
    expect(groups.persistence.stats).toMatchObject({ unsaved: 0, saves: 1, failures: 0 });
  });

  test("is written after the interval without being asked", async () => {
    await using groups = await SavedGroups.open(newFile(), { intervalMs: 10 });
    groups.put("a", "x 1\n");
    await waitFor("a save", async () => groups.persistence.stats.saves === 1);
    groups.put("a", "x 2\n");
    await waitFor("a second save", async () => groups.persistence.stats.saves === 2);
  });

  test("is written at once when each push is to be durable, also by those who do not wait", async () => {
    await using groups = await SavedGroups.open(newFile(), { sync: "push" });
    groups.put("a", "x 1\n");
    await waitFor("a save", async () => groups.persistence.stats.saves === 1);
  });

  test("is for its owner's eyes only", async () => {
    expect((await stat(await makeFile())).mode & 0o777).toBe(0o600);
  });

  test("can be reached by a symbolic link", async () => {
    const file = newFile();
    await makeFile(`${file}-real`);
    await symlink(`${file}-real`, file);
    await using groups = await SavedGroups.open(file);
    groups.put("b", "x 2\n");
    await groups.persistence.durable();
  });

  test("leaves nothing beside it after a close", async () => {
    const only = join(folder, "only");
    await mkdir(only);
    await makeFile(join(only, "groups"));
    expect(await readdir(only)).toEqual(["groups"]);
  });

  test("keeps a group that no longer fits, says so, and lets a push replace it", async () => {
    const file = newFile();
    {
      await using groups = await SavedGroups.open(file);
      groups.put("a", "x 1\n");
      groups.put("b", "x 1\n");
    }
    // As if it had been saved under other flags: a type that the other group contradicts.
    const lines: string[] = [];
    const log = createLogger({ level: "error", format: "logfmt", write: (line) => lines.push(line) });
    await conflict(file);
    {
      await using groups = await SavedGroups.open(file, { log });
      expect(groups.store.size).toBe(1);
      expect(lines).toHaveLength(2);
      expect(lines[0]).toContain("/metrics/job/b");
      expect(lines[0]).toContain("is not a");
      expect(lines[1]).toContain("unfit=1");
    }
    {
      await using groups = await SavedGroups.open(file, { log });
      expect(lines).toHaveLength(4);
      groups.put("b", "x 2\n");
    }
    await using groups = await SavedGroups.open(file, { log });
    expect(groups.store.size).toBe(2);
    expect(lines).toHaveLength(4);
  });
});

/** Has the file hold two groups that contradict each other, as no store does, by joining two files. */
async function conflict(file: string): Promise<void> {
  const other = newFile();
  {
    await using groups = await SavedGroups.open(other);
    groups.put("b", "# TYPE x counter\nx 1\n");
  }
  const database = new Database(file);
  database.run("ATTACH ? AS other", [other]);
  database.run(
    "UPDATE groups SET (families, checksum) = (SELECT families, checksum FROM other.groups) WHERE id = (SELECT id FROM other.groups)",
  );
  database.close(true);
}

describe("a persistence file that cannot be used", () => {
  const foreign = (file: string, sql: string) => {
    const database = new Database(file);
    database.run(sql);
    database.close(true);
  };

  test.each<[string, (file: string) => unknown, string]>([
    ["a text file", (file) => writeFile(file, "x 1\n".repeat(500)), "it is no persistence file"],
    ["a short text file", (file) => writeFile(file, "x 1\n"), "it is no persistence file"],
    ["an empty file", (file) => writeFile(file, ""), "it is empty"],
    ["a folder", (file) => mkdir(file), "it is no file"],
    [
      "an SQLite file of another application",
      (file) => foreign(file, "CREATE TABLE groups (id)"),
      "another application",
    ],
    ["an empty SQLite file", (file) => foreign(file, "VACUUM"), "another application"],
    [
      "one of a newer version",
      async (file) => foreign(await makeFile(file), "PRAGMA user_version = 2"),
      "a newer version of this program wrote it (schema 2",
    ],
    ["one without its table", async (file) => foreign(await makeFile(file), "DROP TABLE groups"), "it is damaged"],
    ["a symbolic link that leads nowhere", (file) => symlink(`${file}-nowhere`, file), "symbolic link"],
  ])("is refused and left as it is: %s", async (_, make, reason) => {
    const file = newFile();
    await make(file);
    const before = await readFile(file).catch(() => undefined);
    const message = await refusal(file);
    expect(message).toStartWith(`Cannot ${message.split(" ")[1]} persistence file ${JSON.stringify(file)}: `);
    expect(message).toContain(reason);
    expect(await readFile(file).catch(() => undefined)).toEqual(before);
  });

  test("is refused when its folder does not exist", async () => {
    expect(await refusal(join(newFile(), "groups"))).toContain("the folder does not exist");
  });

  test("is refused when it is gone and its log is not", async () => {
    const file = await makeFile();
    await rename(file, `${file}-wal`);
    expect(await refusal(file)).toContain("it is gone");
  });

  // root may write everywhere.
  test.skipIf(process.getuid?.() === 0)("is refused where it may not be written", async () => {
    const file = await makeFile();
    await chmod(file, 0o400);
    expect(await refusal(file)).toContain("cannot be written");
  });

  test("is refused to a second server, in this process or another, for as long as the first one lives", async () => {
    const file = newFile();
    {
      await using child = new ChildProcess([
        process.execPath,
        `${import.meta.dir}/persistence-driver.ts`,
        file,
        "push",
        "1",
      ]);
      await waitFor("the first server", async () => child.output().includes("acknowledged"));
      expect(await refusal(file)).toContain("another server uses the file");
      child.kill("SIGKILL");
      await child.exited;
    }
    await using groups = await SavedGroups.open(file);
    expect(groups.store.size).toBeGreaterThan(0);
    expect(await refusal(file)).toContain("another server uses the file");
    // The refused one has not freed the file for others.
    const other = new ChildProcess([process.execPath, `${import.meta.dir}/persistence-driver.ts`, file, "push", "1"]);
    expect(await other.exited).toBe(1);
    expect(other.output()).toContain("another server uses the file");
  });
});

describe("a save that fails", () => {
  test("rejects those who wait, is tried again and loses nothing", async () => {
    const file = newFile();
    const lines: string[] = [];
    const log = createLogger({ level: "info", format: "logfmt", write: (line) => lines.push(line) });
    await using groups = await SavedGroups.open(file, { sync: "push", log });
    groups.put("a", "x 1\n");
    await groups.persistence.durable();
    await rename(file, `${file}-away`);
    groups.put("b", "x 1\n");
    groups.delete("a");
    const failing = groups.persistence.durable();
    expect(failing).rejects.toThrow("somebody removed or replaced it");
    await failing.catch(() => {});
    expect(groups.persistence.stats).toMatchObject({ failures: 1, unsaved: 2 });
    groups.put("b", "x 2\n");
    await groups.persistence.durable().catch(() => {});
    await rename(`${file}-away`, file);
    groups.put("c", "x 1\n");
    await groups.persistence.durable();
    expect(groups.persistence.stats).toMatchObject({ saves: 2, unsaved: 0 });
    expect(lines.filter((line) => line.includes("level=error"))).toHaveLength(1);
    expect(lines.at(-1)).toContain("Groups can be saved again");
    const text = groups.text();
    await groups.persistence.close();
    expect(await savedText(file)).toBe(text);
  });

  test("is tried again by time when nobody pushes", async () => {
    const file = newFile();
    await using groups = await SavedGroups.open(file, { sync: "push", retryMs: 10 });
    await rename(file, `${file}-away`);
    groups.put("a", "x 1\n");
    await waitFor("two tries", async () => groups.persistence.stats.failures >= 2);
    await rename(`${file}-away`, file);
    await waitFor("a save", async () => groups.persistence.stats.unsaved === 0);
  });

  test("is tried again soon also when groups changed meanwhile that may wait for the interval", async () => {
    const file = newFile();
    await using groups = await SavedGroups.open(file, { sync: "interval", retryMs: 10 });
    await rename(file, `${file}-away`);
    groups.put("a", "x 1\n");
    let isOver = false;
    const failing = groups.persistence.durable().catch(() => {
      isOver = true;
    });
    while (!isOver) {
      groups.put("b", "x 1\n");
      await new Promise(setImmediate);
    }
    await failing;
    await rename(`${file}-away`, file);
    await waitFor("a save", async () => groups.persistence.stats.unsaved === 0);
  });

  test("fails the close", async () => {
    const file = newFile();
    const groups = await SavedGroups.open(file);
    groups.put("a", "x 1\n");
    await copyFile(file, `${file}-copy`);
    await rename(`${file}-copy`, file);
    expect(groups.persistence.close()).rejects.toThrow(PersistenceError);
    await groups.persistence.close().catch(() => {});
    // The file is free again.
    await savedText(file);
  });

  test("is one into a file without its log", async () => {
    const file = newFile();
    const groups = await SavedGroups.open(file);
    groups.put("a", "x 1\n");
    await link(`${file}-wal`, `${file}-kept`);
    await rm(`${file}-wal`);
    expect(groups.persistence.durable()).rejects.toThrow("somebody removed or replaced it");
    await groups.persistence.close().catch(() => {});
  });
});

await describeWithParts(["pushgateway-1.11.0"], "a persistence file of a real Pushgateway", () => {
  test("is refused with its name, what is wrong, and the remedy", async () => {
    const file = newFile();
    await using pushgateway = await startPushgateway({ persistenceFile: file });
    await fetch(`${pushgateway.url}/metrics/job/a`, { method: "PUT", body: "x 1\n" });
    await pushgateway.halt();
    const before = await readFile(file);
    const message = await refusal(file);
    expect(message).toContain(JSON.stringify(file));
    expect(message).toContain("Prometheus' Pushgateway");
    expect(message).toContain("--persistence.file");
    expect(await readFile(file)).toEqual(before);
  });
});
