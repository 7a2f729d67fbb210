import { SQLiteError } from "bun:sqlite";

/** What keeps groups from being saved or read. The message names the file, what is wrong with it, and the remedy. */
export class PersistenceError extends Error {
  override readonly name = "PersistenceError";
}

const DISK_FULL = "the disk is full; free some space";
const NOT_WRITABLE = "the file or its folder cannot be written; let the user of this server write both";
const BAD_DISK = "the disk reports an error; look into the system's log";

/** By the codes of SQLite and of the system; the first that the code begins with counts. */
const REASONS: readonly (readonly [code: string, reason: string])[] = [
  ["SQLITE_BUSY", "another server uses the file; stop that one, or give each a file of its own by --persistence.file"],
  ["SQLITE_FULL", DISK_FULL],
  ["ENOSPC", DISK_FULL],
  ["EDQUOT", DISK_FULL],
  ["SQLITE_READONLY", NOT_WRITABLE],
  ["SQLITE_CANTOPEN", NOT_WRITABLE],
  ["SQLITE_PERM", NOT_WRITABLE],
  ["EACCES", NOT_WRITABLE],
  ["EROFS", NOT_WRITABLE],
  ["ENOENT", "the folder does not exist; create it, or name another file by --persistence.file"],
  ["EEXIST", "another server has just created it, or it is a symbolic link that leads nowhere; look, and start again"],
  ["ENOTDIR", "the path leads through a file; name another file by --persistence.file"],
  ["SQLITE_IOERR", BAD_DISK],
  ["EIO", BAD_DISK],
];

/** `doing` begins with a verb: `open`, `save groups in`. */
export function persistenceError(doing: string, file: string, error: unknown): PersistenceError {
  if (error instanceof PersistenceError) return error;
  const { code = "", message } = error as { readonly code?: string; readonly message: string };
  if (error instanceof SQLiteError && isDamage(code)) return damagedFile(doing, file, message);
  const reason = REASONS.find(([prefix]) => code.startsWith(prefix))?.[1];
  const text = reason === undefined ? message : `${reason} (${code})`;
  return new PersistenceError(`Cannot ${doing} persistence file ${JSON.stringify(file)}: ${text}`, { cause: error });
}

export function damagedFile(doing: string, file: string, damage: string): PersistenceError {
  return unfitFile(
    doing,
    file,
    `it is damaged (${damage}); put a copy of it from before in its place, or move it away, together with the file of the same name with -wal, to start without groups`,
  );
}

export function unfitFile(doing: string, file: string, reason: string): PersistenceError {
  return new PersistenceError(`Cannot ${doing} persistence file ${JSON.stringify(file)}: ${reason}`);
}

/** Of a file that has been found to be ours, SQLite calls these what only damage can bring about. */
function isDamage(code: string): boolean {
  return code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB" || code === "SQLITE_ERROR";
}
