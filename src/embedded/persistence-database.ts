import type { Database } from "bun:sqlite";
import { realpathSync, type Stats, statSync } from "node:fs";
import type { GroupId } from "../sharding/group-id.ts";
import { damagedFile, persistenceError, unfitFile } from "./persistence-error.ts";
import { openPersistenceFile } from "./persistence-file.ts";
import type { GroupRow } from "./persistence-row.ts";

/** Groups that are read or written at a time, so that who shares a thread with them goes on in between. */
export const SLICE_GROUPS = 200;
/** The same in bytes, beyond which a slice takes no further group. */
export const SLICE_BYTES = 256 * 1024;

export interface ReadSlice {
  readonly rows: readonly GroupRow[];
  /** What to give to the next `read`. */
  readonly place: number;
}

/** Part of a transaction. */
export interface WriteSlice {
  /** Begins the transaction; one that was left unfinished is undone. */
  readonly isFirst: boolean;
  /** Whether all rows go before anything else. */
  readonly wipe: boolean;
  /** Goes before `rows`, which may have the same IDs: these groups then come last in the order. */
  readonly deleted: readonly GroupId[];
  readonly rows: readonly GroupRow[];
  /** Ends the transaction: the call returns when all of it is on disk. */
  readonly isLast: boolean;
}

interface StoredRow {
  readonly place: number;
  readonly id: Uint8Array;
  /** SQLite keeps NaN as NULL. */
  readonly push_time: number | null;
  readonly push_failure_time: number | null;
  readonly family_times: Uint8Array;
  readonly families: Uint8Array;
  readonly checksum: number;
}

/** The groups in a persistence file. All methods throw PersistenceError. */
export class GroupDatabase {
  readonly #file: string;
  readonly #database: Database;
  /** The file and its log, beside which a symbolic link to it may lead. */
  readonly #files: readonly string[];
  readonly #identities: readonly string[];

  constructor(file: string) {
    this.#file = file;
    this.#database = openPersistenceFile(file);
    const path = realpathSync(file);
    this.#files = [path, `${path}-wal`];
    this.#identities = this.#identify();
  }

  count(): number {
    return this.#do("read", () => {
      const { rows } = this.#database.query("SELECT count(*) AS rows FROM groups").get() as { readonly rows: number };
      return rows;
    });
  }

  /** The groups behind a place, 0 for the start, in their order; none when there are no more. */
  read(place: number): ReadSlice {
    return this.#do("read", () => {
      const rows: GroupRow[] = [];
      let last = place;
      let bytes = 0;
      const found = this.#database.query("SELECT * FROM groups WHERE place > ? ORDER BY place LIMIT ?");
      for (const stored of found.iterate(place, SLICE_GROUPS) as Iterable<StoredRow>) {
        if (bytes > SLICE_BYTES) break;
        rows.push(this.#verified(stored));
        last = stored.place;
        bytes += stored.families.length;
      }
      return { rows, place: last };
    });
  }

  /** When this throws, nothing of the transaction is stored. */
  write(slice: WriteSlice): void {
    this.#do("save groups in", () => {
      try {
        if (slice.isFirst) this.#begin();
        this.#apply(slice);
        if (slice.isLast) this.#database.run("COMMIT");
      } catch (error) {
        this.#rollback();
        throw error;
      }
      if (slice.isLast) this.#refuseRemoved();
    });
  }

  close(): void {
    this.#rollback();
    this.#do("close", () => this.#database.close(true));
  }

  #begin(): void {
    this.#rollback();
    this.#database.run("BEGIN IMMEDIATE");
  }

  #rollback(): void {
    // Some failures have SQLite roll back by itself.
    if (this.#database.inTransaction) this.#database.run("ROLLBACK");
  }

  #apply({ wipe, deleted, rows }: WriteSlice): void {
    if (wipe) this.#database.run("DELETE FROM groups");
    for (const id of deleted) this.#database.query("DELETE FROM groups WHERE id = ?").run(toBytes(id));
    for (const row of rows) this.#put(row);
  }

  #put(row: GroupRow): void {
    const id = toBytes(row.id);
    this.#database
      .query(
        `INSERT INTO groups (id, push_time, push_failure_time, family_times, families, checksum) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET push_time = excluded.push_time, push_failure_time = excluded.push_failure_time,
           family_times = excluded.family_times, families = excluded.families, checksum = excluded.checksum`,
      )
      .run(id, row.pushTime, row.pushFailureTime, row.familyTimes, row.families, checksum(id, row));
  }

  #verified(stored: StoredRow): GroupRow {
    const row = {
      id: Buffer.from(stored.id).toString("latin1"),
      pushTime: stored.push_time ?? Number.NaN,
      pushFailureTime: stored.push_failure_time ?? Number.NaN,
      familyTimes: stored.family_times,
      families: stored.families,
    };
    if (checksum(stored.id, row) === stored.checksum) return row;
    throw damagedFile("read", this.#file, `the checksum of row ${stored.place} is wrong`);
  }

  /** SQLite writes on in files that were deleted, and all of it is lost at the end. */
  #refuseRemoved(): void {
    const now = this.#identify();
    if (now.every((identity, index) => identity === this.#identities[index])) return;
    const reason = `somebody removed or replaced it, or the file of the same name with -wal, while it was in use; nothing more is saved until a restart`;
    throw unfitFile("save groups in", this.#file, reason);
  }

  #identify(): readonly string[] {
    return this.#files.map((file) => identityOf(statSync(file, { throwIfNoEntry: false })));
  }

  #do<Result>(doing: string, action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      throw persistenceError(doing, this.#file, error);
    }
  }
}

function identityOf(stats: Stats | undefined): string {
  return stats === undefined ? "none" : `${stats.dev}:${stats.ino}`;
}

function toBytes(id: GroupId): Uint8Array {
  return Buffer.from(id, "latin1");
}

/** Finds what SQLite's own check does not: bytes within a row that changed. */
function checksum(id: Uint8Array, { pushTime, pushFailureTime, familyTimes, families }: GroupRow): number {
  let sum = Bun.hash.crc32(id);
  sum = Bun.hash.crc32(Float64Array.of(pushTime, pushFailureTime), sum);
  sum = Bun.hash.crc32(familyTimes, sum);
  return Bun.hash.crc32(families, sum);
}
