import type { MetricType, StoredFamily, StoredMetric } from "../exposition/model.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import type { GroupLabels } from "./series-labels.ts";

/** What the store holds under one metric name. */
export interface FamilyEntry {
  readonly name: ByteString;
  type: MetricType;
  /** Help that wins over what is pushed, of a family that the server itself exposes. */
  readonly own: { readonly help: ByteString | undefined } | undefined;
  /** The family that was put there last, even if it is no longer there. */
  latest: StoredFamily | undefined;
  /** By the ID of the group, in the order in which the groups came. */
  readonly holders: Map<string, StoredFamily>;
  /** The group that holds a series, by the labels of the series. */
  readonly series: Map<ByteString, string>;
}

/** A metric name that the server exposes for itself. A push of that name must fit it. */
export interface OwnFamily {
  readonly name: ByteString;
  readonly help: ByteString | undefined;
  readonly type: MetricType;
}

/**
 * Who holds which families and which series, so that a push is checked against what it touches and not against all that is
 * stored. Series are found by their whole labels, so no two of them are ever taken for one.
 */
export class FamilyIndex {
  readonly #families = new Map<ByteString, FamilyEntry>();
  /** The group that holds the push times with these labels: groups that differ in `instance=""` only would share theirs. */
  readonly #groups = new Map<ByteString, string>();

  constructor(own: readonly OwnFamily[]) {
    for (const { name, help, type } of own) {
      this.#families.set(name, newEntry(name, type, { help }));
    }
  }

  get(name: ByteString): FamilyEntry | undefined {
    return this.#families.get(name);
  }

  /** Families that are held or the server's own, in no order. */
  entries(): Iterable<FamilyEntry> {
    return this.#families.values();
  }

  /** The ID of the group whose push times have the labels of this group's. */
  holderOfPushTimes(labels: GroupLabels): string | undefined {
    return this.#groups.get(labels.labelsText);
  }

  addGroup(id: string, labels: GroupLabels): void {
    this.#groups.set(labels.labelsText, id);
  }

  removeGroup(labels: GroupLabels): void {
    this.#groups.delete(labels.labelsText);
  }

  /** Puts the families of a group, sorted by name, in the place of those that it had. They must have passed the check. */
  replace(id: string, before: readonly StoredFamily[], after: readonly StoredFamily[]): void {
    let next = 0;
    for (const old of before) {
      while (next < after.length && (after[next] as StoredFamily).name < old.name)
        this.#put(id, undefined, after[next++]);
      const successor = after[next]?.name === old.name ? after[next++] : undefined;
      if (successor === undefined) this.#remove(id, old);
      else if (successor !== old) this.#put(id, old, successor);
    }
    while (next < after.length) this.#put(id, undefined, after[next++]);
  }

  #put(id: string, old: StoredFamily | undefined, family: StoredFamily | undefined): void {
    if (family === undefined) return;
    let entry = this.#families.get(family.name);
    if (entry === undefined) {
      entry = newEntry(family.name, family.type, undefined);
      this.#families.set(family.name, entry);
    }
    entry.type = family.type;
    entry.latest = family;
    entry.holders.set(id, family);
    if (old !== undefined) {
      if (hasSameSeries(old.metrics, family.metrics)) return;
      for (const { labelsText } of old.metrics) entry.series.delete(labelsText);
    }
    for (const { labelsText } of family.metrics) entry.series.set(labelsText, id);
  }

  #remove(id: string, family: StoredFamily): void {
    const entry = this.#families.get(family.name);
    if (entry === undefined) return;
    for (const { labelsText } of family.metrics) entry.series.delete(labelsText);
    entry.holders.delete(id);
    if (entry.holders.size === 0 && entry.own === undefined) this.#families.delete(family.name);
  }
}

function newEntry(name: ByteString, type: MetricType, own: FamilyEntry["own"]): FamilyEntry {
  return { name, type, own, latest: undefined, holders: new Map(), series: new Map() };
}

function hasSameSeries(before: readonly StoredMetric[], after: readonly StoredMetric[]): boolean {
  return (
    before.length === after.length && before.every(({ labelsText }, index) => labelsText === after[index]?.labelsText)
  );
}
