import type { Selector } from "../../matchers/selector.ts";
import { selectsGroup } from "../../matchers/selects-group.ts";
import { type GroupId, keyOfGroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";

/** The groups that one of the selectors matches by the labels of their keys, in the same order; all when there is no selector. */
export async function matchingGroups(
  ids: readonly GroupId[],
  selectors: readonly Selector[],
  slices: WorkSlices,
): Promise<readonly GroupId[]> {
  if (selectors.length === 0) return ids;
  const matching: GroupId[] = [];
  await slices.visit(ids, (id) => {
    const key = keyOfGroupId(id);
    if (selectors.some((selector) => selectsGroup(selector, key))) matching.push(id);
  });
  return matching;
}
