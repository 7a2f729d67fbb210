import type { PlanFlags } from "./client-flags.ts";
import { type CommandResult, count, jsonText, missingMembersText } from "./command-result.ts";
import { askRouter } from "./router-api.ts";
import { formatTable } from "./table.ts";

const COLUMNS = [{ title: "GROUPS", align: "right" }, { title: "FROM" }, { title: "TO" }] as const;

interface Plan {
  readonly members_before: readonly string[];
  readonly members_after: readonly string[];
  readonly groups: number;
  readonly moved: number;
  /** Null: nobody, as no member would take pushes. */
  readonly moves: readonly { readonly from: string | null; readonly to: string | null; readonly groups: number }[];
  readonly missing_members: readonly string[];
}

/** `dynamic-sharding plan` */
export async function planMoves(flags: PlanFlags): Promise<CommandResult> {
  const plan = await askRouter<Plan>(flags, "GET", "/api/v1/plan", { add: flags.add, remove: flags.remove });
  const stderr = missingMembersText(plan.missing_members, "groups that only they have are not counted");
  if (flags.output === "json") return { stdout: jsonText(plan), stderr, exitCode: 0 };
  const moves = plan.moves.map(({ from, to, groups }) => [String(groups), from ?? "nobody", to ?? "nobody"]);
  return { stdout: `${summarize(plan)}\n${formatTable(COLUMNS, moves)}`, stderr, exitCode: 0 };
}

function summarize({ groups, moved, members_before: before, members_after: after }: Plan): string {
  const share = groups === 0 ? "" : ` (${((100 * moved) / groups).toFixed(1)} %)`;
  const members = `${count(before.length, "Pushgateway")} now, ${after.length} then`;
  return `${moved} of ${count(groups, "group")} would move${share}: ${members}.\n`;
}
