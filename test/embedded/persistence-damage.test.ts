import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GroupDatabase } from "../../src/embedded/persistence-database.ts";
import { PersistenceError } from "../../src/embedded/persistence-error.ts";
import type { GroupRow } from "../../src/embedded/persistence-row.ts";
import { temporaryFolder } from "../support/server-process.ts";

// What a file may look like after a crash, a bad disk or a bad copy: it is read exactly as it was, or refused.

const GROUPS = 120;
const SPOTS = 400;

let folder: string;
/** A file that was closed, and its rows. */
let closed: { readonly file: Buffer; readonly rows: readonly GroupRow[] };
/** A file and its log as a crash leaves them, and the rows after each of its transactions. */
let crashed: { readonly file: Buffer; readonly log: Buffer; readonly states: readonly (readonly GroupRow[])[] };

function row(index: number, version: number): GroupRow {
  const families = new Uint8Array(50 + ((index * 37) % 400)).fill(version + index);
  return {
    id: `job${index}\xffl\xff\xc3\xa9`,
    pushTime: version,
    pushFailureTime: 0,
    familyTimes: new Uint8Array(0),
    families,
  };
}

function rowsOf(database: GroupDatabase): readonly GroupRow[] {
  const all: GroupRow[] = [];
  for (let place = 0; ; ) {
    const slice = database.read(place);
    if (slice.rows.length === 0) return all;
    all.push(...slice.rows);
    place = slice.place;
  }
}

function write(database: GroupDatabase, rows: readonly GroupRow[]): void {
  database.write({ isFirst: true, wipe: false, deleted: [], rows, isLast: true });
}

beforeAll(async () => {
  folder = await temporaryFolder("damage");
  const file = join(folder, "whole");
  const database = new GroupDatabase(file);
  write(
    database,
    Array.from({ length: GROUPS }, (_, index) => row(index, 1)),
  );
  const states = [rowsOf(database)];
  // As the file itself holds nothing before the first checkpoint, all states from here on are in the log alone.
  const empty: readonly GroupRow[] = [];
  for (let version = 2; version < 6; version++) {
    write(database, [row(version, version), row(GROUPS + version, version)]);
    states.push(rowsOf(database));
  }
  crashed = { file: await readFile(file), log: await readFile(`${file}-wal`), states: [empty, ...states] };
  const rows = rowsOf(database);
  database.close();
  closed = { file: await readFile(file), rows };
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

let copies = 0;

/** What a server reads from such files; undefined when it refuses them. */
async function readBack(file: Uint8Array, log?: Uint8Array): Promise<readonly GroupRow[] | undefined> {
  const path = join(folder, `copy${++copies}`);
  await writeFile(path, file);
  if (log !== undefined) await writeFile(`${path}-wal`, log);
  let database: GroupDatabase | undefined;
  try {
    database = new GroupDatabase(path);
    return rowsOf(database);
  } catch (error) {
    expect(error).toBeInstanceOf(PersistenceError);
    expect((error as PersistenceError).message).toContain(JSON.stringify(path));
    return undefined;
  } finally {
    database?.close();
    await rm(path);
    await rm(`${path}-wal`, { force: true });
  }
}

/** Offsets in a file: all of its first bytes, then evenly over the rest. */
function spots(length: number): readonly number[] {
  const first = Array.from({ length: 128 }, (_, offset) => offset);
  const rest = Array.from({ length: SPOTS }, (_, index) => Math.floor(128 + ((length - 128) * index) / SPOTS));
  return [...first, ...rest];
}

function withByte(bytes: Buffer, offset: number, mask: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[offset] = (changed[offset] as number) ^ mask;
  return changed;
}

describe("a damaged persistence file", () => {
  test("is refused at whatever length it was cut off", async () => {
    for (const length of spots(closed.file.length)) {
      expect(await readBack(closed.file.subarray(0, length))).toBeUndefined();
    }
    expect(await readBack(closed.file)).toEqual(closed.rows);
  }, 60_000);

  test.each([0x01, 0x80, 0xff])(
    "is refused or read exactly when a byte is changed by %p",
    async (mask) => {
      let refused = 0;
      for (const offset of spots(closed.file.length)) {
        const rows = await readBack(withByte(closed.file, offset, mask));
        if (rows === undefined) refused++;
        else expect({ offset, rows }).toEqual({ offset, rows: closed.rows });
      }
      expect(refused).toBeGreaterThan(SPOTS / 4);
    },
    60_000,
  );

  test.each(["zeros", "the page before it"])(
    "is refused when a page holds %s",
    async (what) => {
      const page = 4096;
      for (let start = page; start < closed.file.length; start += page) {
        const changed = Buffer.from(closed.file);
        if (what === "zeros") changed.fill(0, start, start + page);
        else changed.copy(changed, start, start - page, start);
        expect(await readBack(changed)).toBeUndefined();
      }
    },
    60_000,
  );
});

describe("a persistence file after a crash", () => {
  const isState = (rows: readonly GroupRow[] | undefined) =>
    crashed.states.some((state) => Bun.deepEquals(state, rows));

  test("holds all transactions of its log", async () => {
    expect(await readBack(crashed.file, crashed.log)).toEqual(crashed.states.at(-1) as readonly GroupRow[]);
  });

  test("holds whole transactions at whatever length its log was cut off", async () => {
    const found = new Set<number>();
    for (const length of [...spots(crashed.log.length), crashed.log.length]) {
      const rows = await readBack(crashed.file, crashed.log.subarray(0, length));
      expect(isState(rows)).toBeTrue();
      found.add(rows?.length ?? 0);
    }
    expect(found.size).toBe(crashed.states.length);
  }, 60_000);

  test("holds whole transactions when a byte of its log is changed", async () => {
    for (const offset of spots(crashed.log.length)) {
      expect(isState(await readBack(crashed.file, withByte(crashed.log, offset, 0x40)))).toBeTrue();
    }
  }, 60_000);

  test("is refused or read exactly when the file under the log is cut off or changed", async () => {
    const last = crashed.states.at(-1);
    for (const offset of spots(crashed.file.length)) {
      for (const file of [crashed.file.subarray(0, offset), withByte(crashed.file, offset, 0x40)]) {
        const rows = await readBack(file, crashed.log);
        if (rows !== undefined) expect(rows).toEqual(last as readonly GroupRow[]);
      }
    }
  }, 60_000);
});
