import { CLIENT_COMMANDS } from "./cli/client-flags.ts";
import { type Command, SERVER_COMMANDS } from "./flags.ts";

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [...SERVER_COMMANDS, ...CLIENT_COMMANDS];
