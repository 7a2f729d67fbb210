import type { ExposedMetric, MetricFamily } from "../exposition/model.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import {
  type Group,
  type GroupStore,
  PUSH_FAILURE_TIME,
  PUSH_TIME,
  PUSH_TIME_HELP,
  type PushTimeName,
} from "./group-store.ts";

/**
 * The families of all groups with `own`, the metrics of the server itself, sorted by name: what a Pushgateway exposes, for
 * formats that are not kept ready.
 */
export function* exposeFamilies(store: GroupStore, own: readonly MetricFamily[]): Iterable<MetricFamily> {
  const ownByName = new Map(own.map((family) => [family.name, family]));
  for (const name of exposedNames(store, own)) {
    if (isPushTime(name)) yield pushTimes(name, store);
    else {
      const families = [...(store.index.get(name)?.holders.values() ?? [])];
      const first = ownByName.get(name) ?? (families[0] as MetricFamily);
      const metrics = families.flatMap((family) => family.metrics);
      yield { ...first, metrics: [...(ownByName.get(name)?.metrics ?? []), ...metrics] };
    }
  }
}

/**
 * What one group holds, behind its two push times. Each sample has the time of the push that brought it, in milliseconds, which no
 * exposition has.
 */
export function* exposeGroup(group: Group): Iterable<MetricFamily> {
  for (const name of [PUSH_TIME, PUSH_FAILURE_TIME] as const) {
    yield { name, help: PUSH_TIME_HELP[name], type: "gauge", metrics: [pushTimeMetric(name, group)] };
  }
  for (const family of group.families) {
    const timestampMs = Math.round(family.pushedAt * 1_000);
    yield { ...family, metrics: family.metrics.map((metric) => ({ ...metric, timestampMs })) };
  }
}

/** The names of all that is exposed, in order. The push times are there as soon as there is a group. */
export function exposedNames(store: GroupStore, own: readonly MetricFamily[]): readonly ByteString[] {
  const names = new Set<ByteString>(own.map(({ name }) => name));
  if (store.size > 0) names.add(PUSH_TIME).add(PUSH_FAILURE_TIME);
  for (const { name, holders } of store.index.entries()) if (holders.size > 0) names.add(name);
  return [...names].sort();
}

export function isPushTime(name: ByteString): name is PushTimeName {
  return name === PUSH_TIME || name === PUSH_FAILURE_TIME;
}

function pushTimes(name: PushTimeName, store: GroupStore): MetricFamily {
  const metrics = Array.from(store.groups(), (group) => pushTimeMetric(name, group));
  return { name, help: PUSH_TIME_HELP[name], type: "gauge", metrics };
}

function pushTimeMetric(name: PushTimeName, group: Group): ExposedMetric {
  const { labels, labelsText } = group.labels;
  const value = name === PUSH_TIME ? group.pushTime : group.pushFailureTime;
  return { labels, labelsText, value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
}
