import type { GroupId } from "../sharding/group-id.ts";
import type { Group } from "./group-store.ts";
import { SLICE_BYTES, SLICE_GROUPS, type WriteSlice } from "./persistence-database.ts";
import { type GroupRow, rowOfGroup } from "./persistence-row.ts";

interface Change {
  /** Absent when the group is deleted. */
  readonly group: Group | undefined;
  /** Whether the group was deleted since it was saved, so that it comes last in the order now. */
  readonly isNew: boolean;
}

/**
 * What has changed in a store since it was last saved, one entry for each group however often that was pushed. What is taken
 * from here at one moment are groups that fit together: the store replaces a group whose series change, and alters one in
 * place only to give it new values.
 */
export class UnsavedChanges {
  #isWiped = false;
  #changes = new Map<GroupId, Change>();

  get size(): number {
    return this.#changes.size;
  }

  get isEmpty(): boolean {
    return this.#changes.size === 0 && !this.#isWiped;
  }

  changed(group: Group): void {
    this.#add(group.id, { group, isNew: false });
  }

  deleted(id: GroupId): void {
    this.#add(id, { group: undefined, isNew: true });
  }

  wiped(): void {
    this.#isWiped = true;
    this.#changes.clear();
  }

  /** Moves all to a new object. */
  take(): UnsavedChanges {
    const taken = new UnsavedChanges();
    taken.#isWiped = this.#isWiped;
    taken.#changes = this.#changes;
    this.#isWiped = false;
    this.#changes = new Map();
    return taken;
  }

  /** Adds what was taken and could not be saved to what has changed since. */
  putBack(taken: UnsavedChanges): void {
    if (this.#isWiped) return;
    const since = this.#changes;
    this.#isWiped = taken.#isWiped;
    this.#changes = taken.#changes;
    for (const [id, change] of since) this.#add(id, change);
  }

  /** As one transaction, encoded bit by bit. Nothing for no changes. */
  *slices(): Iterable<WriteSlice> {
    if (this.isEmpty) return;
    let slice = startSlice(true, this.#isWiped);
    for (const [id, { group, isNew }] of this.#changes) {
      if (isFull(slice)) {
        yield { ...slice, isLast: false };
        slice = startSlice(false, false);
      }
      if (isNew) slice.deleted.push(id);
      if (group === undefined) continue;
      const row = rowOfGroup(group);
      slice.rows.push(row);
      slice.bytes += row.families.length;
    }
    yield { ...slice, isLast: true };
  }

  #add(id: GroupId, change: Change): void {
    const before = this.#changes.get(id);
    const isNew = change.isNew || before?.isNew === true;
    // A group that comes anew after a deletion comes last here too.
    if (change.isNew || before?.group === undefined) this.#changes.delete(id);
    this.#changes.set(id, { group: change.group, isNew });
  }
}

interface SliceDraft {
  readonly isFirst: boolean;
  readonly wipe: boolean;
  readonly deleted: GroupId[];
  readonly rows: GroupRow[];
  bytes: number;
}

function startSlice(isFirst: boolean, wipe: boolean): SliceDraft {
  return { isFirst, wipe, deleted: [], rows: [], bytes: 0 };
}

function isFull({ rows, deleted, bytes }: SliceDraft): boolean {
  return rows.length + deleted.length >= SLICE_GROUPS || bytes > SLICE_BYTES;
}
