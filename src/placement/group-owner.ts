import type { MemberSet } from "../membership/member-set.ts";
import { type GroupId, keyOfGroupId } from "../sharding/group-id.ts";

/** The member that the group belongs to now; undefined when none takes pushes, or no members are known. */
export function ownerOf(set: MemberSet | undefined, id: GroupId): string | undefined {
  return set?.ownerOf(keyOfGroupId(id).canonicalPath)?.address;
}
