import { type ByteString, codePointOf, utf8Width } from "./byte-string.ts";
import { type GroupingKey, groupingKeyOf, type Label, type PushPathOptions } from "./grouping-key.ts";
import { isLegacyLabelName } from "./label-name.ts";

/**
 * Identifies a group: the same for all spellings of one grouping key, different for different keys. It can be kept as a key
 * of maps for as long as the group lives, and turned back by `keyOfGroupId`.
 */
export type GroupId = ByteString;

/** No byte of UTF-8, and a Pushgateway stores nothing else. */
const SEPARATOR = "\xff";

export function groupIdOf({ job, labels }: GroupingKey): GroupId {
  let id = job;
  for (const { name, value } of labels) id += SEPARATOR + name + SEPARATOR + value;
  return id;
}

/** The path that the ring hashes, of `keyOfGroupId(id)`, at a tenth of the cost. */
export function canonicalPathOf(id: GroupId): ByteString {
  return `/metrics/job/${id.replaceAll(SEPARATOR, "/")}`;
}

/** The reverse of `groupIdOf`, for keys that are valid UTF-8. */
export function keyOfGroupId(id: GroupId): GroupingKey {
  const [job = "", ...parts] = id.split(SEPARATOR);
  const labels: Label[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    labels.push({ name: parts[i] as ByteString, value: parts[i + 1] as ByteString });
  }
  return groupingKeyOf(job, labels);
}

const PLAIN_VALUE = /^[A-Za-z0-9_~-][A-Za-z0-9_.~-]*$/;

/**
 * A path that Pushgateways under the same options read as this grouping key, for requests of our own. Values that are not
 * plain go in base64, names beyond the legacy ones in the escaping that --push.enable-utf8-names brings.
 */
export function groupPathOf({ job, labels }: GroupingKey, { utf8Names }: PushPathOptions): ByteString {
  let path = `/metrics${part("job", job)}`;
  for (const { name, value } of labels) path += part(utf8Names ? spellName(name) : name, value);
  return path;
}

function part(name: ByteString, value: ByteString): ByteString {
  if (PLAIN_VALUE.test(value)) return `/${name}/${value}`;
  return `/${name}@base64/${Buffer.from(value, "latin1").toString("base64url") || "="}`;
}

function spellName(name: ByteString): ByteString {
  // Where any UTF-8 is a name, this beginning announces an escaped one.
  return isLegacyLabelName(name) && !name.startsWith("U__") ? name : escapeName(name);
}

/** prometheus/common's "values" escaping. */
function escapeName(name: ByteString): ByteString {
  let escaped = "U__";
  for (let i = 0; i < name.length; ) {
    const width = Math.max(1, utf8Width(name, i));
    const character = name.slice(i, i + width);
    escaped += escapeCharacter(character);
    i += width;
  }
  return escaped;
}

function escapeCharacter(character: ByteString): ByteString {
  if (character === "_") return "__";
  if (/^[a-zA-Z0-9]$/.test(character)) return character;
  return `_${codePointOf(character).toString(16)}_`;
}
