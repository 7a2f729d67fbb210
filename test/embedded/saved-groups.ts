import { GroupStore } from "../../src/embedded/group-store.ts";
import { openPersistence, type Persistence, type PersistenceOptions } from "../../src/embedded/persistence.ts";
import { exposeText } from "../../src/embedded/text-exposition.ts";
import { parseText } from "../../src/exposition/text-parser.ts";
import { NOP_LOGGER } from "../../src/log.ts";
import { keyOfGroupId } from "../../src/sharding/group-id.ts";

/** A store and the file that keeps it. */
export class SavedGroups implements AsyncDisposable {
  readonly store = new GroupStore({ utf8Names: false, ownFamilies: [] });
  readonly persistence: Persistence;

  private constructor(options: PersistenceOptions) {
    this.persistence = openPersistence(options);
  }

  /** Opens a file and loads it. Nothing is saved by time unless `options` says so. */
  static async open(file: string, options: Partial<PersistenceOptions> = {}): Promise<SavedGroups> {
    const groups = new SavedGroups({ file, sync: "interval", intervalMs: 3_600_000, log: NOP_LOGGER, ...options });
    try {
      await groups.persistence.load(groups.store);
      groups.store.observe(groups.persistence);
    } catch (error) {
      await groups.persistence.close();
      throw error;
    }
    return groups;
  }

  put(job: string, body: string, now = 1): void {
    this.store.replace(keyOfGroupId(job), parseText(Buffer.from(body)), now);
  }

  delete(job: string): void {
    this.store.delete(keyOfGroupId(job));
  }

  /** All that is stored, in its order. */
  text(): string {
    return exposeText(this.store, []).toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.persistence.close();
  }
}
