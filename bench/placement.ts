import { join } from "node:path";
import { OutputBuffer } from "../src/http/output-buffer.ts";
import { encodeGroupBody } from "../src/pushgateway/group-contents.ts";
import { putGroup } from "../src/pushgateway/group-requests.ts";
import { PushgatewayClient } from "../src/pushgateway/pushgateway-client.ts";
import { groupingKeyOf } from "../src/sharding/grouping-key.ts";
import { startPushgatewayProcess } from "../test/support/embedded-pushgateway.ts";
import { startPushgateways } from "../test/support/pushgateway.ts";
import { runCommand } from "../test/support/run-command.ts";
import type { BenchContext } from "./bench-context.ts";
import type { BenchRow } from "./bench-row.ts";
import type { ReadingCost } from "./placement/read-groups.ts";

const MEMBERS = 10;
const GROUPS = 100_000;
const FILL_CONCURRENCY = 64;
const READING_DEADLINE_MS = 300_000;
const LONGEST_TURN_MS = 10;
const HIGHEST_GROWTH_MIB = 100;

/**
 * What it takes to look at all groups of a cluster, and to read a hundred of them in full. Most of the time is the Pushgateways',
 * which put their answers together on the same machine; the processor time is ours alone.
 */
export async function benchPlacement(context: BenchContext): Promise<readonly BenchRow[]> {
  // With the check, a push to a stock Pushgateway takes time in proportion to all that is stored.
  const flags = ["--push.disable-consistency-check", "--log.level=error"];
  return [
    ...(await benchMembers(context, "stock", () => startPushgateways(MEMBERS, { flags }))),
    ...(await benchMembers(context, "embedded", startEmbedded)),
  ];
}

interface Member {
  readonly url: string;
  stop(): Promise<void>;
}

async function startEmbedded(): Promise<readonly Member[]> {
  const members: Member[] = [];
  for (let i = 0; i < MEMBERS; i++) members.push(await startPushgatewayProcess(["--log.level=error"]));
  return members;
}

async function benchMembers(
  { signal, progress }: BenchContext,
  kind: string,
  start: () => Promise<readonly Member[]>,
): Promise<readonly BenchRow[]> {
  const members = await start();
  try {
    const addresses = members.map(({ url }) => new URL(url).host);
    progress(`placement: pushing ${GROUPS} groups to ${kind} members`);
    await fill(addresses, signal);
    progress(`placement: listing and reading groups of ${kind} members`);
    return [
      ...rows(`placement: list ${GROUPS} groups, ${MEMBERS} ${kind} members`, await read("list", addresses)),
      ...rows(`placement: read 100 groups, ${kind} member`, await read("read", addresses)),
    ];
  } finally {
    for (const member of members) await member.stop();
  }
}

async function fill(addresses: readonly string[], signal: AbortSignal): Promise<void> {
  const output = new OutputBuffer();
  const options = {
    maxInFlight: FILL_CONCURRENCY,
    maxQueued: FILL_CONCURRENCY,
    stallTimeoutMs: 60_000,
    probePath: "/-/healthy",
    probeTimeoutMs: 10_000,
    onUnreachable: () => {},
  };
  const clients = addresses.map((address) => new PushgatewayClient(address, options, output));
  let next = 0;
  const work = async () => {
    for (let i = next++; i < GROUPS; i = next++) {
      signal.throwIfAborted();
      const labels = { instance: `host-${i % 977}.example.org:8080`, zone: `z${i % 7}` };
      const key = groupingKeyOf(
        `batch_${i}`,
        Object.entries(labels).map(([name, value]) => ({ name, value })),
      );
      const client = clients[i % clients.length] as PushgatewayClient;
      const result = await putGroup(client, key, BODY, "PUT", { utf8Names: false, timeoutMs: 60_000 });
      if (!result.ok) throw new Error(`Cannot fill ${client.address}: ${result.detail}`);
    }
  };
  await Promise.all(Array.from({ length: FILL_CONCURRENCY }, work));
  for (const client of clients) client.retire();
}

function metric(value: number, ...labels: string[]) {
  return { labels, value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
}

/** What a batch job pushes. */
const BODY = encodeGroupBody([
  { name: "batch_job_last_success_seconds", help: "When it last succeeded.", type: "gauge", metrics: [metric(1.75e9)] },
  {
    name: "batch_job_records_total",
    help: "Records handled.",
    type: "counter",
    metrics: [metric(12_345, "kind", "read"), metric(777, "kind", "written")],
  },
]);

async function read(task: "list" | "read", addresses: readonly string[]): Promise<ReadingCost> {
  const program = join(import.meta.dir, "placement", "read-groups.ts");
  const output = await runCommand([process.execPath, program, task, ...addresses], { timeoutMs: READING_DEADLINE_MS });
  return JSON.parse(output) as ReadingCost;
}

function rows(name: string, cost: ReadingCost): readonly BenchRow[] {
  const megabytes = cost.bytes / 1e6;
  const turn = {
    value: cost.longestTurnMs,
    target: `<= ${LONGEST_TURN_MS} ms`,
    met: cost.longestTurnMs <= LONGEST_TURN_MS,
  };
  const growth = {
    value: cost.peakGrowthMib,
    target: `<= ${HIGHEST_GROWTH_MIB} MiB`,
    met: cost.peakGrowthMib <= HIGHEST_GROWTH_MIB,
  };
  return [
    { name: `${name}, wall clock`, value: cost.seconds, unit: "s" },
    { name: `${name}, per second of CPU`, value: megabytes / cost.cpuSeconds, unit: "MB" },
    { name: `${name}, memory at the peak`, unit: "MiB", ...growth },
    { name: `${name}, longest turn`, unit: "ms", ...turn },
  ];
}
