import type { ClientFlags, GroupsDeleteFlags, GroupsListFlags, PlanFlags } from "./client-flags.ts";
import type { CommandResult } from "./command-result.ts";
import { evacuateMember } from "./evacuate.ts";
import { deleteGroups } from "./groups-delete.ts";
import { listGroups } from "./groups-list.ts";
import { planMoves } from "./plan.ts";

/** A command that asks a router. */
export type ClientCommandLine =
  | { readonly kind: "groups-list"; readonly flags: GroupsListFlags }
  | { readonly kind: "groups-delete"; readonly flags: GroupsDeleteFlags }
  | { readonly kind: "plan"; readonly flags: PlanFlags }
  | { readonly kind: "evacuate"; readonly flags: ClientFlags; readonly address: string };

/** Rejects when the router cannot be asked, or refuses. */
export function runClient(commandLine: ClientCommandLine): Promise<CommandResult> {
  switch (commandLine.kind) {
    case "groups-list":
      return listGroups(commandLine.flags);
    case "groups-delete":
      return deleteGroups(commandLine.flags);
    case "plan":
      return planMoves(commandLine.flags);
    case "evacuate":
      return evacuateMember(commandLine.flags, commandLine.address);
  }
}
