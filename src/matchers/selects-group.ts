import type { GroupingKey } from "../sharding/grouping-key.ts";
import type { Selector } from "./selector.ts";

/** Whether the selector matches a group by the labels of its grouping key. A group has no metric name. */
export function selectsGroup({ matches }: Selector, { job, labels }: GroupingKey): boolean {
  return matches(undefined, (name) => (name === "job" ? job : labels.find((label) => label.name === name)?.value));
}
