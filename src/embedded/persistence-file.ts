import { Database, SQLiteError } from "bun:sqlite";
import { randomUUID } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { damagedFile, type PersistenceError, persistenceError, unfitFile } from "./persistence-error.ts";

/** "DShG" in the header of each file of ours tells them from those of other applications. */
const APPLICATION_ID = 0x44536847;
/** Grows with each change of the tables. A file with a greater one is refused. */
const SCHEMA_VERSION = 1;

/** The rows of `groups` in the order of `place` are the groups in the order in which they came. */
const SCHEMA = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
  CREATE TABLE groups (
    place INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    push_time REAL,
    push_failure_time REAL,
    family_times BLOB NOT NULL,
    families BLOB NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT`;

/** The log shrinks to this after a transaction that was longer. */
const KEPT_LOG_BYTES = 16 * 1024 * 1024;
const OTHER_FILE = "name another file by --persistence.file";

/**
 * Opens a persistence file for this connection alone, after a check of all of it; creates it when it is not there. Nothing
 * that is no whole file of ours is taken for one, and none of it is changed.
 *
 * @throws PersistenceError
 */
export function openPersistenceFile(file: string): Database {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats === undefined) createFile(file);
    else refuseUnfit(file, stats);
    return openDatabase(file);
  } catch (error) {
    throw persistenceError("open", file, error);
  }
}

/** A crash leaves the whole new file or none, and of two servers that create the same one only one succeeds. */
function createFile(file: string): void {
  for (const suffix of ["-wal", "-journal"]) {
    if (!existsSync(file + suffix)) continue;
    const reason = `it is gone, but ${JSON.stringify(file + suffix)}, which belongs to it, is there; bring it back, or move that one away to start without groups`;
    throw unfitFile("open", file, reason);
  }
  const draft = `${file}.${randomUUID()}.new`;
  try {
    writeWhole(draft, emptyDatabase());
    linkSync(draft, file);
  } finally {
    rmSync(draft, { force: true });
  }
  const folder = openSync(dirname(file), "r");
  fsyncSync(folder);
  closeSync(folder);
}

function emptyDatabase(): Uint8Array {
  const database = new Database(":memory:");
  database.run(SCHEMA);
  const bytes = database.serialize();
  database.close();
  return bytes;
}

function writeWhole(file: string, bytes: Uint8Array): void {
  // For nobody else to read, as Pushgateway's file is.
  const descriptor = openSync(file, "wx", 0o600);
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function refuseUnfit(file: string, stats: Stats): void {
  if (!stats.isFile()) throw unfitFile("open", file, `it is no file; ${OTHER_FILE}`);
  if (stats.size === 0) {
    throw unfitFile("open", file, "it is empty, which no persistence file ever is; remove it to start without groups");
  }
  // SQLite would open it to read only, and then call it a broken disk that it cannot lock it.
  accessSync(file, constants.R_OK | constants.W_OK);
}

function openDatabase(file: string): Database {
  const database = new Database(file, { readwrite: true, create: false, strict: true });
  try {
    // Before anything is read: so SQLite never lets go of the lock, and needs no shared memory.
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    refuseForeign(database, file);
    useLog(database, file);
    const { integrity_check: verdict } = database.query("PRAGMA integrity_check(1)").get() as Record<string, string>;
    if (verdict !== "ok") throw damagedFile("open", file, String(verdict));
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function refuseForeign(database: Database, file: string): void {
  const application = numberOf(database, "application_id", file);
  if (application !== APPLICATION_ID) {
    throw unfitFile("open", file, `it is an SQLite file of another application; ${OTHER_FILE}`);
  }
  const version = numberOf(database, "user_version", file);
  if (version > SCHEMA_VERSION) {
    const reason = `a newer version of this program wrote it (schema ${version}, this one knows ${SCHEMA_VERSION}); run that version, or ${OTHER_FILE}`;
    throw unfitFile("open", file, reason);
  }
  if (version !== SCHEMA_VERSION) throw damagedFile("open", file, `it has schema ${version}`);
}

function numberOf(database: Database, pragma: string, file: string): number {
  try {
    return (database.query(`PRAGMA ${pragma}`).get() as Record<string, number>)[pragma] as number;
  } catch (error) {
    if (error instanceof SQLiteError && error.code === "SQLITE_NOTADB") throw describeForeign(file);
    throw error;
  }
}

/** Reads from a file that SQLite does not know, which therefore nobody holds locked: closing a file ends its locks. */
function describeForeign(file: string): PersistenceError {
  const start = Buffer.alloc(512);
  const descriptor = openSync(file, "r");
  readSync(descriptor, start);
  closeSync(descriptor);
  if (start.includes("GroupingKeyToMetricGroup")) {
    const reason = `it was written by Prometheus' Pushgateway, whose format only that reads; ${OTHER_FILE}, and the groups come with their next push`;
    return unfitFile("open", file, reason);
  }
  if (start.toString("latin1").startsWith("SQLite format 3\0"))
    return damagedFile("open", file, "its header is broken");
  return unfitFile("open", file, `it is no persistence file; ${OTHER_FILE}, or move it away to start without groups`);
}

function useLog(database: Database, file: string): void {
  const { journal_mode: mode } = database.query("PRAGMA journal_mode = WAL").get() as Record<string, string>;
  if (mode !== "wal") throw unfitFile("open", file, `its file system allows no write-ahead log; ${OTHER_FILE}`);
  // Each commit returns once it is on disk.
  database.run("PRAGMA synchronous = FULL");
  database.run(`PRAGMA journal_size_limit = ${KEPT_LOG_BYTES}`);
  // Finds out whether the file can be written at all.
  database.run("BEGIN EXCLUSIVE");
  database.run("COMMIT");
}
