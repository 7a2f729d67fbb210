import type { GroupsDeleteFlags } from "./client-flags.ts";
import { type CommandResult, count, jsonText, missingMembersText } from "./command-result.ts";
import { formatGroup, type GroupLabels } from "./group-text.ts";
import { askRouter } from "./router-api.ts";
import { formatTable } from "./table.ts";

const COLUMNS = [{ title: "COPIES" }, { title: "GROUP" }];
const ERROR_COLUMNS = [{ title: "NOT DELETED" }, { title: "REASON" }];

interface Deletion {
  readonly dry_run: boolean;
  readonly matched: number;
  readonly deleted: number;
  readonly groups: readonly {
    readonly labels: GroupLabels;
    readonly holders: readonly string[];
    readonly error?: string;
  }[];
  readonly missing_members: readonly string[];
}

/** `dynamic-sharding groups delete` */
export async function deleteGroups(flags: GroupsDeleteFlags): Promise<CommandResult> {
  const deletion = await askRouter<Deletion>(flags, "DELETE", "/api/v1/groups", {
    "match[]": flags.match,
    dry_run: String(flags.dryRun),
  });
  const missing = missingMembersText(
    deletion.missing_members,
    flags.dryRun
      ? "groups that only they have are not listed"
      : "they may still have copies; run the command again when they are back",
  );
  const failed = deletion.groups.filter(({ error }) => error !== undefined);
  const isComplete = flags.dryRun || (failed.length === 0 && deletion.missing_members.length === 0);
  const exitCode = isComplete ? 0 : 1;
  if (flags.output === "json") return { stdout: jsonText(deletion), stderr: missing, exitCode };
  const gone = deletion.groups.filter(({ error }) => error === undefined);
  const table = formatTable(
    COLUMNS,
    gone.map(({ labels, holders }) => [holders.join(" "), formatGroup(labels)]),
  );
  const errors = formatTable(
    ERROR_COLUMNS,
    failed.map(({ labels, error = "" }) => [formatGroup(labels), error]),
  );
  return { stdout: table, stderr: errors + summarize(deletion) + missing, exitCode };
}

function summarize({ dry_run: dryRun, matched, deleted }: Deletion): string {
  if (dryRun) return `Would delete ${count(matched, "group")}.\n`;
  return deleted === matched
    ? `Deleted ${count(deleted, "group")}.\n`
    : `Deleted ${deleted} of ${count(matched, "group")}; run the command again for the others.\n`;
}
