import type { MetricFamily } from "../exposition/model.ts";
import type { NameEscaping } from "../exposition/text-labels.ts";
import { formatHeading } from "../exposition/text-writer.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import { exposedNames, isPushTime } from "./family-exposition.ts";
import type { FamilyEntry } from "./family-index.ts";
import { formatPushTime, type GroupStore, PUSH_TIME_HELP, type PushTimeName } from "./group-store.ts";
import { formatOwnFamily, linesOf } from "./stored-lines.ts";

/**
 * All groups in the text format 0.0.4, with `own`, the metrics of the server itself, among them; names that it does not know
 * are written as `escaping` says. Families are sorted by name; within one, the server's series come first and then those of
 * the groups in the order in which the groups came. The lines of groups that did not change since the last exposition are
 * put together as they were then.
 */
export function exposeText(
  store: GroupStore,
  own: readonly MetricFamily[],
  escaping: NameEscaping = "underscores",
): Buffer {
  const ownByName = new Map(own.map((family) => [family.name, family]));
  const pieces: ByteString[] = [];
  for (const name of exposedNames(store, own)) {
    if (isPushTime(name)) addPushTimes(pieces, name, store, escaping);
    else addFamily(pieces, ownByName.get(name), store.index.get(name), escaping);
  }
  return Buffer.from(pieces.join(""), "latin1");
}

function addFamily(
  pieces: ByteString[],
  own: MetricFamily | undefined,
  entry: FamilyEntry | undefined,
  escaping: NameEscaping,
): void {
  let hasHeading = own !== undefined;
  if (own !== undefined) pieces.push(formatHeading(own), formatOwnFamily(own));
  for (const family of entry?.holders.values() ?? []) {
    if (!hasHeading) pieces.push(formatHeading(family, escaping));
    hasHeading = true;
    pieces.push(linesOf(family, escaping));
  }
}

function addPushTimes(pieces: ByteString[], name: PushTimeName, store: GroupStore, escaping: NameEscaping): void {
  pieces.push(formatHeading({ name, help: PUSH_TIME_HELP[name], type: "gauge" }));
  for (const group of store.groups()) pieces.push(formatPushTime(name, group, escaping));
}
