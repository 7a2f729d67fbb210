import { formatGoFloat } from "../exposition/go-float.ts";
import type { MetricFamily, StoredFamily } from "../exposition/model.ts";
import type { NameEscaping } from "../exposition/text-labels.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import { isValidUtf8 } from "../sharding/byte-string.ts";
import { type GroupId, groupIdOf, keyOfGroupId } from "../sharding/group-id.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";
import { findInconsistencies, joinProblems } from "./consistency.ts";
import { describeMetric } from "./describe-metric.ts";
import { FamilyIndex, type OwnFamily } from "./family-index.ts";
import { renewFamilies } from "./renew-families.ts";
import { GroupLabels } from "./series-labels.ts";
import { sortFamilies, storeFamilies } from "./store-families.ts";
import { Tombstones } from "./tombstones.ts";
import type { Writable } from "./writable.ts";

/** The name of the gauge that holds the time of a group's last accepted push. A body cannot set it. */
export const PUSH_TIME = "push_time_seconds";
/** The name of the gauge that holds the time of a group's last refused push, 0 for none. A body cannot set it. */
export const PUSH_FAILURE_TIME = "push_failure_time_seconds";

export type PushTimeName = typeof PUSH_TIME | typeof PUSH_FAILURE_TIME;

/** HELP of the push times, in Pushgateway's words. */
export const PUSH_TIME_HELP: Readonly<Record<PushTimeName, string>> = {
  [PUSH_TIME]: "Last Unix time when changing this group in the Pushgateway succeeded.",
  [PUSH_FAILURE_TIME]: "Last Unix time when changing this group in the Pushgateway failed.",
};

/** Seconds. Not less than what a float64 can add to a Unix time. */
const CLOCK_STEP = 1e-6;

/** What is stored under one grouping key. The next change of the store may alter it in place, or replace it. */
export interface Group {
  /** Identifies the grouping key in its store. */
  readonly id: string;
  readonly labels: GroupLabels;
  /** Sorted by name, without the two push times. */
  readonly families: readonly StoredFamily[];
  /** Unix time of the last accepted push in seconds; 0 when there was none. */
  readonly pushTime: number;
  /** Unix time of the last refused push in seconds; 0 when there was none. */
  readonly pushFailureTime: number;
  /** The value of the store's version when this was stored. */
  readonly version: number;
}

/** A group as it was when it was saved. */
export interface SavedGroup extends Pick<Group, "id" | "pushTime" | "pushFailureTime"> {
  /** As the bodies of pushes had them. */
  readonly families: readonly SavedFamily[];
}

/** A family with the time of the push that brought it, in seconds. */
interface SavedFamily extends MetricFamily, Pick<StoredFamily, "pushedAt"> {}

/** A push that is refused, with Pushgateway's reason. The failure is recorded in the group where that does no harm. */
export class PushRejectedError extends Error {
  override readonly name = "PushRejectedError";
}

export interface GroupStoreOptions {
  /** --push.enable-utf8-names: any UTF-8 may name a label. */
  readonly utf8Names: boolean;
  /** Metric names that the server exposes beside the store. */
  readonly ownFamilies: readonly OwnFamily[];
  /**
   * Where versions begin; 0 when absent. Greater than all of the store's earlier lives, so that whoever followed it then
   * learns of all groups anew.
   */
  readonly firstVersion?: number;
}

/** Told of each change after it was made. Must not throw. */
export interface StoreObserver {
  /** A group was made or changed, refused pushes that are recorded included. */
  changed(group: Group): void;
  deleted(id: GroupId): void;
  wiped(): void;
}

/** What changed after some version of a store. */
export interface Changes {
  /** In the order of their versions. */
  readonly groups: readonly Group[];
  /** Groups that are no more, by their labels. */
  readonly deleted: readonly GroupLabels[];
  /** False when deletions of that time are forgotten: then only a comparison with all groups finds what is gone. */
  readonly isComplete: boolean;
}

/**
 * The groups of a Pushgateway. Each operation takes time in proportion to the push and the group, however many groups there
 * are. What is stored can always be exposed: a push that does not fit with the others is refused and stored nowhere.
 *
 * Differs from Pushgateway in one thing: a push whose very group cannot be exposed (its key differs from another one in
 * `instance=""` only, or a value is not UTF-8) leaves nothing behind, where Pushgateway would refuse every later push.
 */
export class GroupStore {
  readonly #groups = new Map<string, Writable<Group>>();
  readonly #index: FamilyIndex;
  readonly #utf8Names: boolean;
  readonly #tombstones = new Tombstones();
  #observer: StoreObserver | undefined;
  #version: number;

  constructor(options: GroupStoreOptions) {
    this.#index = new FamilyIndex(options.ownFamilies);
    this.#utf8Names = options.utf8Names;
    this.#version = options.firstVersion ?? 0;
    this.#tombstones.forgetUpTo(this.#version);
  }

  /** From now on the observer is told of changes, and no other one. */
  observe(observer: StoreObserver): void {
    this.#observer = observer;
  }

  /** Grows with each change of any group, refused pushes that are recorded included. */
  get version(): number {
    return this.#version;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** For the expositions, which go through the families of all groups. */
  get index(): FamilyIndex {
    return this.#index;
  }

  /**
   * PUT: the group holds these families and no others. Without any it still has its push times.
   *
   * @throws PushRejectedError
   */
  replace(key: GroupingKey, families: readonly MetricFamily[], now: number): void {
    this.#push(key, families, now, false);
  }

  /**
   * POST: like `replace`, but families of other names stay as they are.
   *
   * @throws PushRejectedError
   */
  update(key: GroupingKey, families: readonly MetricFamily[], now: number): void {
    this.#push(key, families, now, true);
  }

  /**
   * Stores a group with the push times that it had elsewhere, in the place of whatever is here under its key.
   *
   * @throws PushRejectedError and then records nothing.
   */
  putWithPushTime(
    key: GroupingKey,
    families: readonly MetricFamily[],
    pushTime: number,
    pushFailureTime: number,
  ): void {
    const { id, labels, known } = this.#find(key);
    const after = this.#check(id, labels, known, readBody(families), pushTime, false);
    this.#store({ id, labels, families: after, pushTime, pushFailureTime }, known);
  }

  /**
   * Puts a saved group back as it was, in the place of whatever is here under its key.
   *
   * @throws PushRejectedError and then records nothing. It does not for groups of one store under the same options.
   */
  restore({ id, families, pushTime, pushFailureTime }: SavedGroup): void {
    const { labels, known } = this.#find(keyOfGroupId(id));
    const after = this.#check(id, labels, known, readBody(families), pushTime, false);
    const times = new Map(families.map(({ name, pushedAt }) => [name, pushedAt]));
    for (const family of after as readonly Writable<StoredFamily>[])
      family.pushedAt = times.get(family.name) ?? pushTime;
    this.#store({ id, labels, families: after, pushTime, pushFailureTime }, known);
  }

  /** Whether there was such a group. */
  delete(key: GroupingKey): boolean {
    const group = this.get(key);
    if (group === undefined) return false;
    this.#index.replace(group.id, group.families, []);
    this.#index.removeGroup(group.labels);
    this.#groups.delete(group.id);
    this.#tombstones.add(group.id, group.labels, ++this.#version);
    this.#observer?.deleted(group.id);
    return true;
  }

  /** Deletes the group unless a push after `pushTime` (Unix time in seconds) was accepted; whether it is gone now. */
  deleteIfNotNewer(key: GroupingKey, pushTime: number): boolean {
    const group = this.get(key);
    if (group === undefined) return true;
    return group.pushTime <= pushTime && this.delete(key);
  }

  /** Deletes all groups. */
  wipe(): void {
    for (const group of this.#groups.values()) {
      this.#index.replace(group.id, group.families, []);
      this.#index.removeGroup(group.labels);
    }
    this.#groups.clear();
    this.#tombstones.forgetUpTo(++this.#version);
    this.#observer?.wiped();
  }

  get(key: GroupingKey): Group | undefined {
    return this.#groups.get(groupIdOf(key));
  }

  /** In the order in which the groups came. */
  groups(): Iterable<Group> {
    return this.#groups.values();
  }

  /** What a reader who knew all at `version` has to learn. Takes time in proportion to the number of groups. */
  changedSince(version: number): Changes {
    // The reader knows another life of the store, before which the clock was set back.
    if (version > this.#version) return { ...this.changedSince(0), isComplete: false };
    const groups = [...this.#groups.values()].filter((group) => group.version > version);
    groups.sort((a, b) => a.version - b.version);
    return { groups, ...this.#tombstones.since(version) };
  }

  #push(key: GroupingKey, families: readonly MetricFamily[], now: number, keepOthers: boolean): void {
    const { id, labels, known } = this.#find(key);
    const pushFailureTime = known?.pushFailureTime ?? 0;
    let after: readonly StoredFamily[];
    try {
      const pushed = readBody(families);
      if (known !== undefined && renewFamilies(known.families, pushed, now, keepOthers)) {
        known.pushTime = now;
        known.version = ++this.#version;
        this.#observer?.changed(known);
        return;
      }
      after = this.#check(id, labels, known, pushed, now, keepOthers);
    } catch (error) {
      if (error instanceof PushRejectedError) this.#recordFailure(id, labels, known, now);
      throw error;
    }
    this.#store({ id, labels, families: after, pushTime: now, pushFailureTime }, known);
  }

  /** What the group will hold. */
  #check(
    id: string,
    labels: GroupLabels,
    known: Group | undefined,
    body: readonly MetricFamily[],
    now: number,
    keepOthers: boolean,
  ): readonly StoredFamily[] {
    if (known === undefined) this.#refuseUnfitGroup(id, labels);
    const pushed = storeFamilies(body, labels, now, known?.families ?? [], this.#index);
    const kept = keepOthers && known !== undefined ? mergeFamilies(known.families, pushed) : pushed;
    const after = kept.filter(hasMetrics);
    const change = { id, pushed: pushed.filter(hasMetrics), after };
    const problems = findInconsistencies(change, this.#index, this.#utf8Names);
    if (problems.length > 0) throw new PushRejectedError(joinProblems(problems));
    return after;
  }

  #refuseUnfitGroup(id: string, labels: GroupLabels): void {
    const problem = this.#groupProblem(id, labels);
    if (problem === undefined) return;
    const metric = describeMetric("gauge", { labels: labels.labels, value: 0 });
    throw new PushRejectedError(`collected metric "${PUSH_TIME}" { ${metric}} ${problem}`);
  }

  #groupProblem(id: string, labels: GroupLabels): string | undefined {
    const holder = this.#index.holderOfPushTimes(labels);
    if (holder !== undefined && holder !== id) return "was collected before with the same name and label values";
    return isValidUtf8(labels.labelsText) ? undefined : "has a label whose value is not utf8";
  }

  #recordFailure(id: string, labels: GroupLabels, known: Group | undefined, now: number): void {
    if (known === undefined && this.#groupProblem(id, labels) !== undefined) return;
    const { families = [], pushTime = 0 } = known ?? {};
    // The later of two times says how the last push ended, and pushes can be faster than the clock.
    const pushFailureTime = now === pushTime ? now + CLOCK_STEP : now;
    this.#store({ id, labels, families, pushTime, pushFailureTime }, known);
  }

  #store(group: Omit<Group, "version">, known: Group | undefined): void {
    this.#index.replace(group.id, known?.families ?? [], group.families);
    if (known === undefined) {
      this.#index.addGroup(group.id, group.labels);
      this.#tombstones.remove(group.id);
    }
    const stored = { ...group, version: ++this.#version };
    this.#groups.set(group.id, stored);
    this.#observer?.changed(stored);
  }

  #find(key: GroupingKey): { id: string; labels: GroupLabels; known: Writable<Group> | undefined } {
    const id = groupIdOf(key);
    const known = this.#groups.get(id);
    // The ID that is stored, so that all that refers to the group shares one string.
    return { id: known?.id ?? id, labels: known?.labels ?? new GroupLabels(key), known };
  }
}

/** The lines of the two push times of a group, without HELP and TYPE. */
export function formatPushTime(name: PushTimeName, group: Group, escaping: NameEscaping): ByteString {
  const time = name === PUSH_TIME ? group.pushTime : group.pushFailureTime;
  const { exposedText, labelsText } = group.labels;
  return `${name}{${escaping === "underscores" ? exposedText : labelsText}} ${formatGoFloat(time)}\n`;
}

/** The families of a body that are stored, sorted by name. */
function readBody(families: readonly MetricFamily[]): readonly MetricFamily[] {
  const sorted = sortFamilies(families);
  refuseUnfitFamilies(sorted);
  return sorted.every(isOfBody) ? sorted : sorted.filter(isOfBody);
}

function isOfBody({ name }: MetricFamily): boolean {
  return name !== PUSH_TIME && name !== PUSH_FAILURE_TIME;
}

function hasMetrics({ metrics }: StoredFamily): boolean {
  return metrics.length > 0;
}

function refuseUnfitFamilies(families: readonly MetricFamily[]): void {
  for (const { name, metrics } of families) {
    if (metrics.length === 0) continue;
    if (name === "" || !isValidUtf8(name)) throw new PushRejectedError("MetricFamily has no valid name");
    if (metrics.some(({ timestampMs }) => timestampMs !== undefined)) {
      throw new PushRejectedError("pushed metrics must not have timestamps");
    }
  }
}

/** Those that are stored but for the names that are pushed, and those pushed; both and the result sorted by name. */
function mergeFamilies(stored: readonly StoredFamily[], pushed: readonly StoredFamily[]): readonly StoredFamily[] {
  const merged: StoredFamily[] = [];
  let next = 0;
  for (const old of stored) {
    while (next < pushed.length && (pushed[next] as StoredFamily).name < old.name) {
      merged.push(pushed[next++] as StoredFamily);
    }
    if (pushed[next]?.name !== old.name) merged.push(old);
  }
  return merged.concat(pushed.slice(next));
}
