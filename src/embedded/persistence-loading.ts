import type { Logger } from "../log.ts";
import { type GroupId, groupPathOf, keyOfGroupId } from "../sharding/group-id.ts";
import { type GroupStore, PushRejectedError } from "./group-store.ts";
import { damagedFile, PersistenceError } from "./persistence-error.ts";
import { type GroupRow, groupOfRow } from "./persistence-row.ts";
import type { PersistenceThread } from "./persistence-thread.ts";

/** How often the log says how far loading has come. */
const PROGRESS_MS = 1_000;
/** Of the groups that do not fit, so many are named in the log. */
const NAMED_UNFIT = 10;

/**
 * Puts all groups of a persistence file in a store. The event loop gets its turn after each slice.
 *
 * A group that does not fit what the store accepts, as after a start with fewer flags, stays in the file untouched, until it
 * is pushed again or all is wiped; the log says so as an error at each start.
 *
 * @throws PersistenceError
 */
export async function loadGroups(
  thread: PersistenceThread,
  store: GroupStore,
  file: string,
  total: number,
  log: Logger,
): Promise<void> {
  const begin = performance.now();
  let told = begin;
  let loaded = 0;
  let unfit = 0;
  for await (const rows of readAhead(thread)) {
    for (const row of rows) {
      const problem = restore(row, store, file);
      if (problem === undefined) loaded++;
      else if (++unfit <= NAMED_UNFIT) {
        log.error("A saved group does not fit; it stays in the file", { file, group: pathOf(row.id), err: problem });
      }
    }
    if (performance.now() - told < PROGRESS_MS) continue;
    told = performance.now();
    log.info("Loading groups", { file, loaded, total });
  }
  const seconds = Math.round(performance.now() - begin) / 1_000;
  log.info("Loaded groups", { file, groups: loaded, seconds });
  if (unfit > 0) {
    log.error("Saved groups are not exposed as they do not fit; start with the flags of before, or wipe", {
      file,
      unfit,
    });
  }
}

/** The next slice is read while the caller uses one. */
async function* readAhead(thread: PersistenceThread): AsyncIterable<readonly GroupRow[]> {
  let reading = thread.read(0);
  for (;;) {
    const { rows, place } = await reading;
    if (rows.length === 0) return;
    reading = thread.read(place);
    // The caller may give up before it comes to this slice.
    reading.catch(() => {});
    yield rows;
    // Messages that keep coming would hold up all else.
    await new Promise(setImmediate);
  }
}

/** Why the store does not take the group. */
function restore(row: GroupRow, store: GroupStore, file: string): PushRejectedError | undefined {
  try {
    store.restore(groupOfRow(row));
    return undefined;
  } catch (error) {
    if (error instanceof PushRejectedError) return error;
    if (error instanceof PersistenceError) throw error;
    throw damagedFile("read", file, `group ${pathOf(row.id)}: ${(error as Error).message}`);
  }
}

function pathOf(id: GroupId): string {
  return groupPathOf(keyOfGroupId(id), { utf8Names: true });
}
