import { parsePushPath } from "../../src/sharding/grouping-key.ts";
import { HashRing } from "../../src/sharding/hash-ring.ts";

/** The routing that every alternative does, by the router's own code: the address that owns the group of a push. */
export function ownerLookup(members: readonly string[]): (target: string) => string {
  const ring = HashRing.build(members);
  const takesPushes = new Uint8Array(ring.members.length).fill(1);
  return (target) => {
    const query = target.indexOf("?");
    const path = query === -1 ? target : target.slice(0, query);
    const owner = ring.members[ring.ownerIndex(parsePushPath(path, { utf8Names: false }).canonicalPath, takesPushes)];
    if (owner === undefined) throw new Error(`Cannot route "${target}": there are no members`);
    return owner;
  };
}

/** Headers that describe one connection and are not forwarded (RFC 9110 §7.6.1), and those that every client sets itself. */
export const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "date",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
