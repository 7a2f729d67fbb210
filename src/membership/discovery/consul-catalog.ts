import * as v from "valibot";
import { joinAddress, splitAddress } from "../../pushgateway/address.ts";
import { sortedByAddress, type Target } from "./discoverer.ts";

// The parts we use of an answer of /v1/health/service/<name>. Consul writes an absent list as null.
const Check = v.object({ CheckID: v.string(), Status: v.string() });
const HealthEntry = v.object({
  Node: v.object({ Node: v.string(), Address: v.string() }),
  Service: v.object({
    ID: v.string(),
    Address: v.string(),
    Port: v.number(),
    Tags: v.nullish(v.array(v.string()), []),
  }),
  Checks: v.nullish(v.array(Check), []),
});
const HealthAnswer = v.array(HealthEntry);
type HealthEntry = v.InferOutput<typeof HealthEntry>;

const NODE_MAINTENANCE = "_node_maintenance";
const SERVICE_MAINTENANCE = "_service_maintenance:";
/** A service with this tag takes no more pushes. */
const DRAINING_TAG = "draining";

/**
 * Reads the answer of a health query without `passing`, so that maintenance is told apart from death. Throws where it is not such an
 * answer.
 *
 * All checks of an entry count, those of its node, too; `warning` counts as passing. Several agents may each have registered the
 * same Pushgateway: it passes when one of them says so. It drains when one of them has it tagged or in maintenance, because whoever
 * did that meant the Pushgateway; a node in maintenance, however, drains it only where no other node vouches for it.
 */
export function targetsFromHealth(answer: unknown): readonly Target[] {
  const byAddress = new Map<string, HealthEntry[]>();
  for (const entry of v.parse(HealthAnswer, answer)) {
    const address = addressOf(entry);
    if (address === undefined) continue;
    const entries = byAddress.get(address);
    if (entries === undefined) byAddress.set(address, [entry]);
    else entries.push(entry);
  }
  return sortedByAddress([...byAddress].map(([address, entries]) => mergeEntries(address, entries)));
}

function addressOf({ Node, Service }: HealthEntry): string | undefined {
  const address = joinAddress(Service.Address === "" ? Node.Address : Service.Address, Service.Port);
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
function troubleOf({ Node, Checks }: HealthEntry): string | undefined {
  const critical = Checks.find(
    ({ CheckID, Status }) => !isMaintenance(CheckID) && Status !== "passing" && Status !== "warning",
  );
  return critical && `check ${critical.CheckID} of node ${Node.Node} is ${critical.Status} in Consul`;
}

function drainReasonOfService({ Service, Checks }: HealthEntry): string | undefined {
  if (Service.Tags.includes(DRAINING_TAG)) return `tagged ${DRAINING_TAG} in Consul`;
  const isMaintained = Checks.some(({ CheckID }) => CheckID.startsWith(SERVICE_MAINTENANCE));
  return isMaintained ? "in maintenance mode in Consul" : undefined;
}

function drainReasonOfNodes(entries: readonly HealthEntry[]): string | undefined {
  const areAllMaintained = entries.every(({ Checks }) => Checks.some(({ CheckID }) => CheckID === NODE_MAINTENANCE));
  return areAllMaintained ? `node ${entries[0]?.Node.Node} in maintenance mode in Consul` : undefined;
}

function isMaintenance(checkId: string): boolean {
  return checkId === NODE_MAINTENANCE || checkId.startsWith(SERVICE_MAINTENANCE);
}
