import type { MemberSet } from "../../membership/member-set.ts";
import { splitAddress } from "../../pushgateway/address.ts";
import { canonicalPathOf, type GroupId } from "../../sharding/group-id.ts";
import { HashRing } from "../../sharding/hash-ring.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { ApiError, missingMembersHeader, respondData, respondError } from "../json-answer.ts";
import { parseQuery } from "../query.ts";
import type { Route } from "../web-handler.ts";
import { type ClusterParts, currentMembers, listCluster, missingAddresses } from "./cluster-parts.ts";

/** A ring of so many is built in milliseconds. */
const MAX_CHANGES = 100;

/** GET /api/v1/plan: how many groups would get another owner if members came and went. */
export function planRoute(parts: ClusterParts): Route {
  return async (exchange, query) => {
    try {
      const set = currentMembers(parts);
      const before = set.members.filter(({ draining }) => !draining).map(({ address }) => address);
      const after = changedMembers(set, before, parseQuery(query));
      const listing = await listCluster(parts, set, "kept");
      const moves = await findMoves(listing.ids, before, after, parts.slices);
      const missing = missingAddresses(listing);
      const data = {
        members_before: before,
        members_after: after,
        groups: listing.ids.length,
        moved: moves.reduce((sum, { groups }) => sum + groups, 0),
        moves,
        listed_at: new Date(listing.listedAt).toISOString(),
        missing_members: missing,
      };
      respondData(exchange, data, missingMembersHeader(missing));
    } catch (error) {
      respondError(exchange, error);
    }
  };
}

/** The members that would take pushes, sorted. Throws an ApiError for a change that is none. */
function changedMembers(set: MemberSet, before: readonly string[], parameters: URLSearchParams): readonly string[] {
  const [added, removed] = [parameters.getAll("add"), parameters.getAll("remove")];
  if (added.length + removed.length > MAX_CHANGES) throw new ApiError(400, `Want at most ${MAX_CHANGES} changes`);
  for (const address of [...added, ...removed]) checkAddress(address);
  const present = added.find((address) => before.includes(address));
  if (present !== undefined) throw new ApiError(400, `Cannot add "${present}": it is a member already`);
  const unknown = removed.find((address) => !set.has(address));
  if (unknown !== undefined) throw new ApiError(400, `Cannot remove "${unknown}": it is no member`);
  const both = added.find((address) => removed.includes(address));
  if (both !== undefined) throw new ApiError(400, `Cannot add and remove "${both}" at once`);
  return [...new Set([...before.filter((address) => !removed.includes(address)), ...added])].sort();
}

function checkAddress(address: string): void {
  try {
    splitAddress(address);
  } catch (error) {
    throw new ApiError(400, (error as Error).message);
  }
}

/** So many groups of one owner that would be another's; no owner is null. */
interface Move {
  readonly from: string | null;
  readonly to: string | null;
  readonly groups: number;
}

async function findMoves(
  ids: readonly GroupId[],
  before: readonly string[],
  after: readonly string[],
  slices: WorkSlices,
): Promise<readonly Move[]> {
  const [oldOwner, newOwner] = [ownerFinder(before), ownerFinder(after)];
  const moves = new Map<string, Move>();
  await slices.visit(ids, (id) => {
    const path = canonicalPathOf(id);
    const [from, to] = [oldOwner(path), newOwner(path)];
    if (from !== to) moves.set(`${from} ${to}`, { from, to, groups: (moves.get(`${from} ${to}`)?.groups ?? 0) + 1 });
  });
  return [...moves].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, move]) => move);
}

function ownerFinder(addresses: readonly string[]): (path: string) => string | null {
  const ring = HashRing.build(addresses);
  const all = new Uint8Array(addresses.length).fill(1);
  return (path) => ring.members[ring.ownerIndex(path, all)] ?? null;
}
