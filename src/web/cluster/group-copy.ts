import type { GroupId } from "../../sharding/group-id.ts";

/** One member's copy of a group. */
export interface GroupCopy {
  readonly address: string;
  /** When a push to it was last accepted, as Unix time in seconds; 0 when none ever was. */
  readonly pushTime: number;
}

/**
 * Says which copy of a group counts, of those that were seen: the address of one of them. They are in the order of addresses.
 * Undefined: none of them, because the group was deleted or its newest copy is out of reach.
 */
export type ChooseCopy = (id: GroupId, copies: readonly GroupCopy[]) => string | undefined;
