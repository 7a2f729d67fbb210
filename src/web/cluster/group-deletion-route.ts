import type { NotDeleted } from "../../placement/group-deletion.ts";
import type { GroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { ApiError, groupNameOf, JSON_TYPE, missingMembersHeader, respondError } from "../json-answer.ts";
import { parseQuery, selectorsOf } from "../query.ts";
import { ResponseBody } from "../response-body.ts";
import type { Route } from "../web-handler.ts";
import type { ClusterListing } from "./cluster-listing.ts";
import { type ClusterParts, currentMembers, listCluster, missingAddresses } from "./cluster-parts.ts";
import { matchingGroups } from "./matching-groups.ts";

/** Deletes groups as they were listed from all members within reach. Resolves with those that were not deleted. */
export type DeleteGroups = (
  ids: readonly GroupId[],
  listing: ClusterListing,
) => Promise<ReadonlyMap<GroupId, NotDeleted>>;

/** DELETE /api/v1/groups: deletes groups that match, or says which would be. */
export function groupDeletionRoute(parts: ClusterParts, deleteGroups: DeleteGroups): Route {
  return async (exchange, query) => {
    try {
      const parameters = parseQuery(query);
      const isDryRun = readDryRun(parameters);
      const selectors = selectorsOf(parameters);
      if (selectors.length === 0) throw new ApiError(400, 'Cannot delete groups without a match[] such as {job="a"}');
      const set = currentMembers(parts);
      const listing = await listCluster(parts, set, "fresh");
      const ids = await matchingGroups(listing.ids, selectors, parts.slices);
      const notDeleted = isDryRun || ids.length === 0 ? NONE : await deleteGroups(ids, listing);
      const missing = missingAddresses(listing);
      const data = {
        dry_run: isDryRun,
        matched: ids.length,
        deleted: isDryRun ? 0 : ids.length - notDeleted.size,
        missing_members: missing,
      };
      const describe = (id: GroupId): unknown => {
        const reason = notDeleted.get(id);
        return {
          ...groupNameOf(id, parts.utf8Names()),
          holders: listing.copiesOf(id).map(({ address }) => address),
          ...(reason !== undefined && { error: ERRORS[reason] }),
        };
      };
      exchange.begin(200, [...missingMembersHeader(missing), ...JSON_TYPE], "unknown-length");
      await writeData(new ResponseBody(exchange), data, ids.values().map(describe), parts.slices);
      exchange.end();
    } catch (error) {
      respondError(exchange, error);
    }
  };
}

/** Items between two pieces of a list. */
const STEP = 256;

/** Writes an answer whose groups may be many. When the client is gone, nobody is left to be told. */
async function writeData(
  body: ResponseBody,
  data: object,
  groups: Iterable<unknown>,
  slices: WorkSlices,
): Promise<void> {
  try {
    let piece = `${JSON.stringify({ status: "success", data }).slice(0, -2)},"groups":[`;
    let count = 0;
    for (const group of groups) {
      piece += `${count === 0 ? "" : ","}${JSON.stringify(group)}`;
      if (++count % STEP !== 0) continue;
      await body.write(Buffer.from(piece));
      piece = "";
      if (slices.isOver) await slices.next();
    }
    await body.write(Buffer.from(`${piece}]}}\n`));
  } catch (error) {
    if (!body.signal.aborted) throw error;
  }
}

const NONE: ReadonlyMap<GroupId, NotDeleted> = new Map();

const ERRORS: Readonly<Record<NotDeleted, string>> = {
  pushed: "It was pushed to after the request came, and is kept",
  unconfirmed: "A member has not confirmed that it is gone; the router will try again",
};

function readDryRun(parameters: URLSearchParams): boolean {
  const text = parameters.get("dry_run") ?? "false";
  if (text !== "true" && text !== "false") throw new ApiError(400, "Want dry_run=true or dry_run=false");
  return text === "true";
}
