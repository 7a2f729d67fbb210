import { parseServerAddress } from "../config/address.ts";
import { formatDuration, parseDuration } from "../config/duration.ts";
import { type Command, choice, type Flag, type FlagValues, HELP, repeated, toggle } from "../flags.ts";
import { parseGroupSelector } from "../matchers/selector.ts";

const OUTPUT_FORMATS = ["text", "json"] as const;
type OutputFormat = (typeof OUTPUT_FORMATS)[number];

const DEFAULT_ROUTER_URL = "http://localhost:9292";
/** To evacuate a large member takes minutes, so that its pushes need not wait. */
const DEFAULT_TIMEOUT_MS = 600_000;

const CLIENT_FLAGS = {
  help: HELP,
  routerUrl: {
    name: "router.url",
    help: "URL of the router to ask.",
    placeholder: DEFAULT_ROUTER_URL,
    defaultValue: DEFAULT_ROUTER_URL,
    parse: parseRouterUrl,
  },
  output: choice<OutputFormat>("output", OUTPUT_FORMATS, "text", "Format of what is printed."),
  timeoutMs: {
    name: "timeout",
    help: "How long to wait for each answer of the router.",
    placeholder: formatDuration(DEFAULT_TIMEOUT_MS),
    defaultValue: DEFAULT_TIMEOUT_MS,
    parse: parseTimeout,
  },
};

/** What all commands that ask a router have in common. */
export type ClientFlags = FlagValues<typeof CLIENT_FLAGS>;

const MATCH: Flag<readonly string[]> = repeated({
  name: "match",
  help: `Selector of groups, such as '{job=~"spark-.*"}'. Given several times: groups that match any of them.`,
  placeholder: "SELECTOR",
  parse: (text: string) => parseGroupSelector(text).text,
});

const GROUPS_LIST_FLAGS = { ...CLIENT_FLAGS, match: MATCH };
export type GroupsListFlags = FlagValues<typeof GROUPS_LIST_FLAGS>;

export const GROUPS_LIST: Command & { readonly flags: typeof GROUPS_LIST_FLAGS } = {
  name: "groups list",
  help: "List the groups of all Pushgateways: their last push, their owner and where their copies are.",
  flags: GROUPS_LIST_FLAGS,
};

const GROUPS_DELETE_FLAGS = {
  ...CLIENT_FLAGS,
  match: MATCH,
  dryRun: toggle({ name: "dry-run", help: "Only say what would be deleted." }),
};
export type GroupsDeleteFlags = FlagValues<typeof GROUPS_DELETE_FLAGS>;

export const GROUPS_DELETE: Command & { readonly flags: typeof GROUPS_DELETE_FLAGS } = {
  name: "groups delete",
  help: "Delete groups from all Pushgateways, and say which. Needs --match.",
  flags: GROUPS_DELETE_FLAGS,
};

const PLAN_FLAGS = {
  ...CLIENT_FLAGS,
  add: addresses("add", "Pushgateway that would come. May be given several times."),
  remove: addresses("remove", "Pushgateway that would go. May be given several times."),
};
export type PlanFlags = FlagValues<typeof PLAN_FLAGS>;

export const PLAN: Command & { readonly flags: typeof PLAN_FLAGS } = {
  name: "plan",
  help: "Say how many groups would move, and from where to where, if Pushgateways came and went. Changes nothing.",
  flags: PLAN_FLAGS,
};

export const EVACUATE: Command & { readonly flags: typeof CLIENT_FLAGS } = {
  name: "evacuate",
  help:
    "Move the groups of a draining Pushgateway to their owners at once, instead of with their next push. " +
    "Their push times become the time of the move.",
  flags: CLIENT_FLAGS,
  argumentName: "host:port",
};

export const CLIENT_COMMANDS: readonly Command[] = [GROUPS_LIST, GROUPS_DELETE, PLAN, EVACUATE];

function addresses(name: string, help: string): Flag<readonly string[]> {
  return repeated({ name, help, placeholder: "HOST:PORT", parse: (text: string) => parseServerAddress(text) });
}

/** The URL without a slash at its end, so that paths can be put behind it. */
function parseRouterUrl(text: string): string {
  const expected = `expected a URL such as ${DEFAULT_ROUTER_URL}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  // Not quoted in the message, since it may be a password.
  if (url !== undefined && url.username + url.password !== "") {
    throw new RangeError(`${expected}, without user name and password`);
  }
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw new RangeError(`${expected}, got "${text}"`);
  if (url.search + url.hash !== "") throw new RangeError(`${expected}, without query and fragment, got "${text}"`);
  return url.href.replace(/\/+$/, "");
}

function parseTimeout(text: string): number {
  const timeoutMs = parseDuration(text);
  if (timeoutMs < 1) throw new RangeError(`expected at least 1ms, got "${text}"`);
  return timeoutMs;
}
