import { joinAddress, splitAddress } from "../../pushgateway/address.ts";
import { sortedByAddress, type Target } from "./discoverer.ts";
import { asObject, asString, listAt, numberAt, objectAt, stringAt } from "./json.ts";

/** The parts we use of an entry of /v1/health/service/<name>. */
interface HealthEntry {
  readonly node: string;
  readonly nodeAddress: string;
  readonly serviceAddress: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly checks: readonly Check[];
}

interface Check {
  readonly id: string;
  readonly status: string;
}

const NODE_MAINTENANCE = "_node_maintenance";
const SERVICE_MAINTENANCE = "_service_maintenance:";
/** A service with this tag takes no more pushes. */
const DRAINING_TAG = "draining";

/**
 * Reads the answer of a health query without `passing`, so that maintenance is told apart from death. Throws where it
 * is not such an answer.
 *
 * All checks of an entry count, those of its node, too; `warning` counts as passing. Several agents may each have
 * registered the same Pushgateway: it passes when one of them says so. It drains when one of them has it tagged or in
 * maintenance, because whoever did that meant the Pushgateway; a node in maintenance, however, drains it only where no
 * other node vouches for it.
 */
export function targetsFromHealth(answer: unknown): readonly Target[] {
  const byAddress = new Map<string, HealthEntry[]>();
  if (!Array.isArray(answer)) throw new TypeError("Cannot read a health answer: expected a list");
  for (const entry of answer.map(readEntry)) {
    const address = addressOf(entry);
    if (address === undefined) continue;
    const entries = byAddress.get(address);
    if (entries === undefined) byAddress.set(address, [entry]);
    else entries.push(entry);
  }
  return sortedByAddress([...byAddress].map(([address, entries]) => mergeEntries(address, entries)));
}

function readEntry(value: unknown): HealthEntry {
  const entry = asObject(value, "entry");
  const node = objectAt(entry, "Node");
  const service = objectAt(entry, "Service");
  return {
    node: stringAt(node, "Node"),
    nodeAddress: stringAt(node, "Address"),
    serviceAddress: stringAt(service, "Address"),
    port: numberAt(service, "Port"),
    tags: listAt(service, "Tags", asString),
    checks: listAt(entry, "Checks", readCheck),
  };
}

function readCheck(value: unknown): Check {
  const check = asObject(value, "check");
  return { id: stringAt(check, "CheckID"), status: stringAt(check, "Status") };
}

function addressOf({ serviceAddress, nodeAddress, port }: HealthEntry): string | undefined {
  const address = joinAddress(serviceAddress === "" ? nodeAddress : serviceAddress, port);
  try {
    splitAddress(address);
    return address;
  } catch {
    // Registered without a port, so nobody can push to it.
    return undefined;
  }
}

function mergeEntries(address: string, entries: readonly HealthEntry[]): Target {
  const drainReasons = entries.map(drainReasonOfService);
  const drainReason = drainReasons.find((reason) => reason !== undefined) ?? drainReasonOfNodes(entries);
  const troubles = entries.map(troubleOf);
  const isPassing = troubles.includes(undefined);
  const healthReason = isPassing ? "passing in Consul" : (troubles[0] ?? "");
  return {
    address,
    draining: drainReason !== undefined,
    health: isPassing ? "passing" : "critical",
    reason: isPassing ? (drainReason ?? healthReason) : healthReason,
  };
}

/** Names the check that speaks against the entry, or nothing. */
function troubleOf({ node, checks }: HealthEntry): string | undefined {
  const critical = checks.find(({ id, status }) => !isMaintenance(id) && status !== "passing" && status !== "warning");
  return critical && `check ${critical.id} of node ${node} is ${critical.status} in Consul`;
}

function drainReasonOfService({ tags, checks }: HealthEntry): string | undefined {
  if (tags.includes(DRAINING_TAG)) return `tagged ${DRAINING_TAG} in Consul`;
  return checks.some(({ id }) => id.startsWith(SERVICE_MAINTENANCE)) ? "in maintenance mode in Consul" : undefined;
}

function drainReasonOfNodes(entries: readonly HealthEntry[]): string | undefined {
  const areAllMaintained = entries.every(({ checks }) => checks.some(({ id }) => id === NODE_MAINTENANCE));
  return areAllMaintained ? `node ${entries[0]?.node} in maintenance mode in Consul` : undefined;
}

function isMaintenance(checkId: string): boolean {
  return checkId === NODE_MAINTENANCE || checkId.startsWith(SERVICE_MAINTENANCE);
}
