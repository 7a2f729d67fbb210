import { listGroups } from "../../pushgateway/group-listing.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import type { GroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { type SeriesId, seriesIdOf } from "./ambiguous-series.ts";
import { exposedGroupId } from "./group-copies.ts";

/** Asks a member which series it holds for some groups: none for those that it holds no more. Rejects when it cannot tell. */
export async function readSeriesOfGroups(
  address: string,
  groups: ReadonlySet<GroupId>,
  options: { readonly timeoutMs: number; readonly signal: AbortSignal; readonly slices: WorkSlices },
): Promise<ReadonlySet<SeriesId>> {
  const series = new Set<SeriesId>();
  await listGroups(address, options, ({ key, families }) => {
    const pairs = ["job", key.job, ...key.labels.flatMap(({ name, value }) => [name, value])];
    if (!groups.has(exposedGroupId(pairs))) return;
    for (const [name, { metrics }] of families()) {
      for (const { labels = {} } of metrics) series.add(seriesIdOf(name, pairsOf(labels)));
    }
  });
  return series;
}

function pairsOf(labels: Readonly<Record<ByteString, ByteString>>): readonly ByteString[] {
  return Object.entries(labels).flat();
}
