import type { GroupsListFlags } from "./client-flags.ts";
import { type CommandResult, count, jsonText, missingMembersText } from "./command-result.ts";
import { formatGroup, type GroupLabels } from "./group-text.ts";
import { askRouter } from "./router-api.ts";
import { formatTable } from "./table.ts";

/** The longest page that a router gives. */
const PAGE = "1000";

const COLUMNS = [{ title: "LAST PUSH" }, { title: "OWNER" }, { title: "COPIES" }, { title: "GROUP" }];

interface Holder {
  readonly address: string;
  readonly stale: boolean;
  readonly doubtful: boolean;
}

interface ListedGroup {
  readonly labels: GroupLabels;
  readonly owner: string | null;
  readonly push_time_seconds: number;
  readonly holders: readonly Holder[];
}

interface GroupsPage {
  readonly groups: readonly ListedGroup[];
  readonly next: string | null;
  readonly missing_members: readonly string[];
}

/** `dynamic-sharding groups list` */
export async function listGroups(flags: GroupsListFlags): Promise<CommandResult> {
  const groups: ListedGroup[] = [];
  const missing = new Set<string>();
  let after: string | null = "";
  while (after !== null) {
    const page: GroupsPage = await askRouter(flags, "GET", "/api/v1/groups", {
      "match[]": flags.match,
      limit: PAGE,
      ...(after === "" ? {} : { after }),
    });
    groups.push(...page.groups);
    for (const address of page.missing_members) missing.add(address);
    after = page.next;
  }
  const stderr = missingMembersText([...missing], "groups that only they have are not listed");
  if (flags.output === "json") {
    return { stdout: jsonText({ groups, missing_members: [...missing] }), stderr, exitCode: 0 };
  }
  const table = formatTable(COLUMNS, groups.map(formatRow));
  return { stdout: table, stderr: `${count(groups.length, "group")}\n${stderr}`, exitCode: 0 };
}

function formatRow({ labels, owner, push_time_seconds: pushed, holders }: ListedGroup): readonly string[] {
  return [formatTime(pushed), owner ?? "none", holders.map(formatHolder).join(" "), formatGroup(labels)];
}

function formatHolder({ address, stale, doubtful }: Holder): string {
  const marks = [...(stale ? ["stale"] : []), ...(doubtful ? ["doubtful"] : [])];
  return marks.length === 0 ? address : `${address} (${marks.join(", ")})`;
}

/** A push that was never accepted has the time 0. */
function formatTime(seconds: number): string {
  return seconds === 0 ? "never" : new Date(seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}
