import { describeError, type Logger } from "../log.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { Group, GroupStore, StoreObserver } from "./group-store.ts";
import { UnsavedChanges } from "./persistence-changes.ts";
import { loadGroups } from "./persistence-loading.ts";
import { PersistenceThread } from "./persistence-thread.ts";

/** The longest that timers can wait; a little under 25 days. */
const MAX_WAIT_MS = 2 ** 31 - 1;
const RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;

export interface PersistenceOptions {
  readonly file: string;
  /**
   * `push`: saves begin at once, and a server that answers only after `durable` loses nothing that it has acknowledged, to
   * kill -9 or to power loss. `interval`: a crash loses what changed in the last `intervalMs`.
   */
  readonly sync: "interval" | "push";
  /** From a change to the save of it and of all that came by then. */
  readonly intervalMs: number;
  /** From a save that failed to the next try, twice as long after each further failure, up to 30 s; 1 s when absent. */
  readonly retryMs?: number;
  readonly log: Logger;
}

/** For the metrics of a server. */
interface PersistenceStats {
  /** Unix time of the last save in seconds; 0 when there was none. */
  readonly lastSave: number;
  readonly saves: number;
  readonly failures: number;
  /** Groups that have changed since they were last saved. One that changes during a save may count twice. */
  readonly unsaved: number;
}

/**
 * Keeps the groups of a store in a file. Each save writes what has changed as one transaction, so that the file always holds
 * the groups and series that were there at one moment, each with its values of that moment or later: what fitted together
 * then can be loaded, whatever crashes when. Nobody but the caller of `durable` waits for the disk.
 *
 * A save that fails is logged and tried again; what it should have saved is not forgotten.
 */
export interface Persistence extends StoreObserver {
  /**
   * Fills a store that is empty. To be called once, before this observes the store.
   *
   * @throws PersistenceError when the file cannot be used. Nothing is loaded by halves: the store must not be used then.
   */
  load(store: GroupStore): Promise<void>;
  /**
   * Resolves when all that was reported so far is on disk. Many who wait share one transaction.
   *
   * @throws PersistenceError when it could not be written.
   */
  durable(): Promise<void>;
  readonly stats: PersistenceStats;
  /**
   * Saves what is unsaved and lets go of the file. To be called once nothing changes any more.
   *
   * @throws PersistenceError when it could not be written.
   */
  close(): Promise<void>;
}

/** Begins to open the file; `load` tells how that went. */
export function openPersistence(options: PersistenceOptions): Persistence {
  return new FilePersistence(options);
}

class FilePersistence implements Persistence {
  readonly #options: PersistenceOptions;
  readonly #thread = new PersistenceThread();
  /** How many groups the file holds. */
  readonly #opened: Promise<number>;
  readonly #unsaved = new UnsavedChanges();
  #timer: NodeJS.Timeout | undefined;
  /** The save under way. */
  #saving: Promise<void> | undefined;
  /** How many groups it saves. */
  #beingSaved = 0;
  /** The save that begins after it, of all that is reported until then. */
  #next: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #problem: string | undefined;
  #lastSave = 0;
  #saves = 0;
  #failures = 0;
  #failuresInARow = 0;

  constructor(options: PersistenceOptions) {
    this.#options = options;
    this.#opened = this.#thread.open(options.file);
    this.#opened.catch(ignore);
  }

  get stats(): PersistenceStats {
    return {
      lastSave: this.#lastSave,
      saves: this.#saves,
      failures: this.#failures,
      unsaved: this.#unsaved.size + this.#beingSaved,
    };
  }

  async load(store: GroupStore): Promise<void> {
    const { file, log } = this.#options;
    await loadGroups(this.#thread, store, file, await this.#opened, log);
  }

  changed(group: Group): void {
    this.#unsaved.changed(group);
    this.#saveInTime();
  }

  deleted(id: GroupId): void {
    this.#unsaved.deleted(id);
    this.#saveInTime();
  }

  wiped(): void {
    this.#unsaved.wiped();
    this.#saveInTime();
  }

  durable(): Promise<void> {
    if (this.#unsaved.isEmpty) return this.#saving ?? Promise.resolve();
    this.#next ??= this.#saveNext();
    return this.#next;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    try {
      await this.durable();
    } catch (error) {
      const { file, log } = this.#options;
      log.error("Changed groups are lost, as they cannot be saved", { file, groups: this.#unsaved.size, err: error });
      throw error;
    } finally {
      this.#stopTimer();
      await this.#opened.then(
        () => this.#thread.close(),
        () => this.#thread.close().catch(ignore),
      );
    }
  }

  #saveInTime(): void {
    if (this.#closed !== undefined) return;
    const { sync, intervalMs } = this.#options;
    if (sync === "push") {
      if (this.#next === undefined) this.durable().catch(ignore);
    } else this.#timer ??= setTimeout(() => void this.durable().catch(ignore), Math.min(intervalMs, MAX_WAIT_MS));
  }

  async #saveNext(): Promise<void> {
    // What comes in the same turn of the event loop shares the transaction.
    await (this.#saving?.catch(ignore) ?? new Promise(setImmediate));
    this.#next = undefined;
    this.#stopTimer();
    this.#saving = this.#save();
    try {
      await this.#saving;
    } finally {
      this.#saving = undefined;
    }
  }

  async #save(): Promise<void> {
    const taken = this.#unsaved.take();
    this.#beingSaved = taken.size;
    try {
      for (const slice of taken.slices()) await this.#thread.write(slice);
    } catch (error) {
      this.#unsaved.putBack(taken);
      this.#recordFailure(error);
      throw error;
    } finally {
      this.#beingSaved = 0;
    }
    this.#recordSave();
  }

  #recordSave(): void {
    if (this.#problem !== undefined) this.#options.log.info("Groups can be saved again", { file: this.#options.file });
    this.#problem = undefined;
    this.#failuresInARow = 0;
    this.#lastSave = Date.now() / 1_000;
    this.#saves++;
  }

  #recordFailure(error: unknown): void {
    this.#failures++;
    const problem = describeError(error);
    if (problem !== this.#problem) {
      const { file, log } = this.#options;
      log.error("Groups are not saved; trying again", { file, unsaved: this.#unsaved.size, err: error });
    }
    this.#problem = problem;
    // What came during the save may have begun to wait for a whole interval.
    this.#stopTimer();
    this.#timer = setTimeout(() => void this.durable().catch(ignore), this.#retryMs());
  }

  /** Jittered, since Pushgateways that share a disk fail at the same moment. */
  #retryMs(): number {
    const { retryMs = RETRY_MS } = this.#options;
    const delayMs = Math.min(retryMs * 2 ** this.#failuresInARow++, MAX_RETRY_MS);
    return delayMs * (0.75 + Math.random() / 2);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function ignore(): void {}
