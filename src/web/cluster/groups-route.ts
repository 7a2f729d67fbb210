import type { MemberSet } from "../../membership/member-set.ts";
import { type GroupId, keyOfGroupId } from "../../sharding/group-id.ts";
import { ApiError, groupNameOf, missingMembersHeader, respondData, respondError } from "../json-answer.ts";
import { parseQuery, selectorsOf } from "../query.ts";
import type { Route } from "../web-handler.ts";
import type { ClusterListing } from "./cluster-listing.ts";
import { type ClusterParts, currentMembers, listCluster, missingAddresses } from "./cluster-parts.ts";
import { matchingGroups } from "./matching-groups.ts";

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

/** GET /api/v1/groups: groups, who holds and who owns them, a page at a time. */
export function groupsRoute(parts: ClusterParts): Route {
  return async (exchange, query) => {
    try {
      const parameters = parseQuery(query);
      const [limit, after] = [readLimit(parameters), readCursor(parameters)];
      const selectors = selectorsOf(parameters);
      const set = currentMembers(parts);
      const listing = await listCluster(parts, set, "kept");
      const ids = await matchingGroups(listing.ids, selectors, parts.slices);
      const start = firstBehind(ids, after);
      const page = ids.slice(start, start + limit);
      const last = page.at(-1);
      const missing = missingAddresses(listing);
      const data = {
        groups: page.map((id) => describeGroup(id, set, listing, parts)),
        total: ids.length,
        next: last === undefined || start + limit >= ids.length ? null : writeCursor(last),
        listed_at: new Date(listing.listedAt).toISOString(),
        missing_members: missing,
      };
      respondData(exchange, data, missingMembersHeader(missing));
    } catch (error) {
      respondError(exchange, error);
    }
  };
}

function describeGroup(id: GroupId, set: MemberSet, listing: ClusterListing, parts: ClusterParts) {
  const copies = listing.copiesOf(id);
  const counting = parts.choose(id, copies);
  return {
    ...groupNameOf(id, parts.utf8Names()),
    owner: set.ownerOf(keyOfGroupId(id).canonicalPath)?.address ?? null,
    push_time_seconds: copies.find(({ address }) => address === counting)?.pushTime ?? 0,
    holders: copies.map(({ address, pushTime, pushFailureTime }) => ({
      address,
      push_time_seconds: pushTime,
      push_failure_time_seconds: pushFailureTime,
      stale: address !== counting,
      doubtful: parts.isDoubtful(id, address),
    })),
  };
}

function readLimit(parameters: URLSearchParams): number {
  const text = parameters.get("limit");
  if (text === null) return DEFAULT_LIMIT;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > MAX_LIMIT) throw new ApiError(400, `Want a limit from 1 to ${MAX_LIMIT}`);
  return limit;
}

/** The group that the page before ended with. */
function readCursor(parameters: URLSearchParams): GroupId | undefined {
  const text = parameters.get("after");
  if (text === null) return undefined;
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw new ApiError(400, 'Want "next" of the page before as after');
  return Buffer.from(text, "base64url").toString("latin1");
}

function writeCursor(id: GroupId): string {
  return Buffer.from(id, "latin1").toString("base64url");
}

/** The place of the first group behind this one, which may be gone. */
function firstBehind(ids: readonly GroupId[], after: GroupId | undefined): number {
  let low = 0;
  let high = after === undefined ? 0 : ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as string) <= (after as string)) low = middle + 1;
    else high = middle;
  }
  return low;
}
