import type { ByteString } from "../sharding/byte-string.ts";
import { groupPathOf } from "../sharding/group-id.ts";
import type { GroupingKey, PushPathOptions } from "../sharding/grouping-key.ts";

/** Where members that speak the groups API have one group. More of the query may follow. */
export function groupTarget(key: GroupingKey, options: PushPathOptions): ByteString {
  return `/api/v1/group?path=${percentEncode(groupPathOf(key, options))}`;
}

function percentEncode(path: ByteString): ByteString {
  return path.replaceAll(/[^A-Za-z0-9/._~-]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
