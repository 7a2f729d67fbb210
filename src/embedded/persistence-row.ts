import type { MetricFamily, StoredFamily } from "../exposition/model.ts";
import { parseDelimited } from "../exposition/protobuf-decoder.ts";
import { encodeDelimited } from "../exposition/protobuf-encoder.ts";
import type { GroupId } from "../sharding/group-id.ts";
import type { Group, SavedGroup } from "./group-store.ts";

/** A group as the persistence file has it. */
export interface GroupRow {
  readonly id: GroupId;
  readonly pushTime: number;
  readonly pushFailureTime: number;
  /** When each family was pushed, as float64 in little-endian order; empty when all came with the last accepted push. */
  readonly familyTimes: Uint8Array;
  /** Delimited protobuf, as the bodies of pushes had them. */
  readonly families: Uint8Array;
}

export function rowOfGroup({ id, families, pushTime, pushFailureTime }: Group): GroupRow {
  const isOnePush = families.every(({ pushedAt }) => Object.is(pushedAt, pushTime));
  const times = Float64Array.from(isOnePush ? [] : families.map(({ pushedAt }) => pushedAt));
  return {
    id,
    pushTime,
    pushFailureTime,
    familyTimes: new Uint8Array(times.buffer),
    families: encodeDelimited(families.map(bodyOf)),
  };
}

/** The family as it was pushed, from which the store makes it again. */
function bodyOf({ name, help, type, inBodyOrder }: StoredFamily): MetricFamily {
  return { name, help, type, metrics: inBodyOrder.map((metric) => ({ ...metric, labels: metric.own })) };
}

/** @throws ProtobufFormatError */
export function groupOfRow({ id, pushTime, pushFailureTime, familyTimes, families }: GroupRow): SavedGroup {
  const times = new Float64Array(familyTimes.slice().buffer);
  const saved = parseDelimited(families).map((family: MetricFamily, index) => ({
    ...family,
    pushedAt: times[index] ?? pushTime,
  }));
  return { id, families: saved, pushTime, pushFailureTime };
}
