import type { ClientFlags } from "./client-flags.ts";
import { type CommandResult, count, jsonText } from "./command-result.ts";
import { askRouter } from "./router-api.ts";

interface Evacuation {
  readonly moved: number;
  /** Groups that are still there: being pushed at that moment, or refused by their owner. */
  readonly left: number;
}

/** `dynamic-sharding evacuate HOST:PORT` */
export async function evacuateMember(flags: ClientFlags, address: string): Promise<CommandResult> {
  const evacuation = await askRouter<Evacuation>(flags, "POST", "/api/v1/members/evacuate", { address });
  const { moved, left } = evacuation;
  const exitCode = left === 0 ? 0 : 1;
  if (flags.output === "json") return { stdout: jsonText(evacuation), stderr: "", exitCode };
  const stderr =
    left === 0 ? "" : `${count(left, "group")} left on ${address}, in use or not to be moved; run the command again.\n`;
  return { stdout: `Moved ${count(moved, "group")} from ${address}.\n`, stderr, exitCode };
}
