import type { MemberSet } from "../membership/member-set.ts";
import { canonicalPathOf, type GroupId } from "../sharding/group-id.ts";

/** The member that the group belongs to now; undefined when none takes pushes, or no members are known. */
export function ownerOf(set: MemberSet | undefined, id: GroupId): string | undefined {
  return set?.ownerOf(canonicalPathOf(id))?.address;
}
