import type { MemberSet } from "../../membership/member-set.ts";
import type { GroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { ApiError, NOT_READY } from "../json-answer.ts";
import type { ClusterListing } from "./cluster-listing.ts";
import type { ClusterListings, ListingAge } from "./cluster-listings.ts";
import type { ChooseCopy } from "./group-copy.ts";

/** What the routes over all members share. */
export interface ClusterParts {
  readonly members: () => MemberSet | undefined;
  readonly utf8Names: () => boolean;
  readonly listings: ClusterListings;
  readonly choose: ChooseCopy;
  /** Whether a copy may come from a push that had been given up, so that it never counts over another. */
  readonly isDoubtful: (id: GroupId, address: string) => boolean;
  readonly slices: WorkSlices;
}

/** The members at the moment. Throws an ApiError before they are known. */
export function currentMembers({ members }: Pick<ClusterParts, "members">): MemberSet {
  const set = members();
  if (set === undefined) throw new ApiError(503, NOT_READY);
  return set;
}

/** A listing of all members. Throws an ApiError when none of them can be listed, or they hold too much. */
export async function listCluster(parts: ClusterParts, set: MemberSet, age: ListingAge): Promise<ClusterListing> {
  const listing = await parts.listings.get(set, age).catch((error) => {
    throw error instanceof RangeError ? new ApiError(503, error.message) : error;
  });
  const { missing, held } = listing;
  if (held.size === 0 && missing.length > 0) {
    throw new ApiError(503, `No member lists its groups: ${missing.map(({ error }) => String(error)).join("; ")}`);
  }
  return listing;
}

export function missingAddresses({ missing }: Pick<ClusterListing, "missing">): readonly string[] {
  return missing.map(({ address }) => address).sort();
}
