import type { MemberSet } from "../../membership/member-set.ts";
import { MemberRequestError } from "../../pushgateway/member-request.ts";
import { ApiError, respondData, respondError } from "../json-answer.ts";
import { parseQuery } from "../query.ts";
import type { Route } from "../web-handler.ts";
import { type ClusterParts, currentMembers } from "./cluster-parts.ts";

/** Moves the groups of a draining member to their owners. `left`: groups that are still there. Rejects when it cannot be listed. */
export type Evacuate = (address: string) => Promise<{ readonly moved: number; readonly left: number }>;

/** POST /api/v1/members/evacuate?address=: moves the groups of a member that takes no pushes any more. */
export function evacuationRoute(parts: Pick<ClusterParts, "members">, evacuate: Evacuate): Route {
  return async (exchange, query) => {
    try {
      const address = parseQuery(query).get("address");
      if (address === null) throw new ApiError(400, "Want ?address=<host>:<port> of a draining member");
      checkMember(currentMembers(parts), address);
      const { moved, left } = await evacuate(address);
      respondData(exchange, { moved, left });
    } catch (error) {
      respondError(exchange, error instanceof MemberRequestError ? new ApiError(502, error.message) : error);
    }
  };
}

/**
 * A member that goes on taking pushes would have its groups back with the next one; and one that is on its way back may hold groups
 * that were deleted, or pushed elsewhere, while it was away. Throws an ApiError unless the member is draining.
 */
export function checkMember(set: MemberSet, address: string): void {
  const member = set.get(address);
  if (member === undefined) throw new ApiError(400, `Cannot evacuate "${address}": it is no member`);
  const { state, draining } = member;
  if (state === "draining") return;
  const remedy = draining ? "wait until it is draining" : "drain it first, and wait until it is draining";
  throw new ApiError(400, `Cannot evacuate "${address}": it is ${state}; ${remedy}`);
}
