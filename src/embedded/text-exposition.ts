import type { ByteString } from "../sharding/byte-string.ts";
import type { FamilyEntry } from "./family-index.ts";
import { formatPushTime, type GroupStore, PUSH_FAILURE_TIME, PUSH_TIME } from "./group-store.ts";
import type { MetricFamily } from "./model.ts";
import { formatOwnFamily } from "./store-families.ts";
import { formatHeading } from "./text-writer.ts";

/** HELP of the push times, in Pushgateway's words. */
const PUSH_TIME_HELP = {
  [PUSH_TIME]: "Last Unix time when changing this group in the Pushgateway succeeded.",
  [PUSH_FAILURE_TIME]: "Last Unix time when changing this group in the Pushgateway failed.",
} as const;

/**
 * All groups in the text format 0.0.4, with `own`, the metrics of the server itself, among them. Families are sorted by name;
 * within one, the server's series come first and then those of the groups in the order in which the groups came. The lines
 * of the groups are put together as they were stored.
 */
export function exposeText(store: GroupStore, own: readonly MetricFamily[]): Buffer {
  const ownByName = new Map(own.map((family) => [family.name, family]));
  const names = new Set<ByteString>([...ownByName.keys(), PUSH_TIME, PUSH_FAILURE_TIME]);
  for (const { name, holders } of store.index.entries()) if (holders.size > 0) names.add(name);
  const pieces: ByteString[] = [];
  for (const name of [...names].sort()) {
    if (name === PUSH_TIME || name === PUSH_FAILURE_TIME) addPushTimes(pieces, name, store);
    else addFamily(pieces, ownByName.get(name), store.index.get(name));
  }
  return Buffer.from(pieces.join(""), "latin1");
}

function addFamily(pieces: ByteString[], own: MetricFamily | undefined, entry: FamilyEntry | undefined): void {
  const holders = entry?.holders.values() ?? [];
  let isFirst = own === undefined;
  if (own !== undefined) pieces.push(formatHeading(own.name, own.help, own.type), formatOwnFamily(own));
  for (const { name, help, type, text } of holders) {
    if (isFirst) pieces.push(formatHeading(name, help, type));
    isFirst = false;
    pieces.push(text);
  }
}

function addPushTimes(
  pieces: ByteString[],
  name: typeof PUSH_TIME | typeof PUSH_FAILURE_TIME,
  store: GroupStore,
): void {
  if (store.size === 0) return;
  pieces.push(formatHeading(name, PUSH_TIME_HELP[name], "gauge"));
  for (const group of store.groups()) pieces.push(formatPushTime(name, group));
}
