import type { GroupLabels } from "./series-labels.ts";

/** How many deletions are remembered. A reader who is further behind compares all groups instead. */
const CAPACITY = 10_000;

interface Tombstone {
  readonly labels: GroupLabels;
  readonly version: number;
}

/** The latest deletions of groups, for readers who follow a store by its version. */
export class Tombstones {
  readonly #byId = new Map<string, Tombstone>();
  #forgottenUpTo = 0;

  add(id: string, labels: GroupLabels, version: number): void {
    this.#byId.set(id, { labels, version });
    if (this.#byId.size <= CAPACITY) return;
    for (const [oldest, tombstone] of this.#byId) {
      this.#byId.delete(oldest);
      this.#forgottenUpTo = tombstone.version;
      break;
    }
  }

  /** The group is there again. */
  remove(id: string): void {
    this.#byId.delete(id);
  }

  forgetUpTo(version: number): void {
    this.#byId.clear();
    this.#forgottenUpTo = version;
  }

  since(version: number): { readonly deleted: readonly GroupLabels[]; readonly isComplete: boolean } {
    const deleted = [...this.#byId.values()].filter((tombstone) => tombstone.version > version);
    return { deleted: deleted.map(({ labels }) => labels), isComplete: version >= this.#forgottenUpTo };
  }
}
