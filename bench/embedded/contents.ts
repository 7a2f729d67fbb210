import { rm } from "node:fs/promises";
import type { BenchContext } from "../bench-context.ts";
import { type BenchRow, comparisonRow, type Samples, withTargetRatio } from "../bench-row.ts";
import { CpuClock, memoryOf } from "../process-cost.ts";
import { pushGroups } from "./groups.ts";
import { type MeasuredPushgateway, PEER_VERSIONS, peerName, saveGroups, startOurs, startPeer } from "./servers.ts";

/** Of two series each. */
const GROUPS = 50_000;
const ROUNDS = 5;
const SCRAPE_DEADLINE_MS = 60_000;

interface Contents {
  /** Milliseconds from the request to the end of the answer, and of CPU time. */
  readonly scrape: Samples;
  readonly scrapeCpu: Samples;
  /** The same of answers in gzip, as Prometheus asks for it. */
  readonly gzip: Samples;
  readonly gzipCpu: Samples;
  /** Of a scrape after which all groups have changed. */
  readonly bytesPerGroup: number;
}

/** What it takes to expose 100,000 series, and to keep their groups. */
export async function benchEmbeddedContents(context: BenchContext): Promise<readonly BenchRow[]> {
  context.progress("embedded-contents: ours");
  const ours = await measureOurs(context);
  const rows: BenchRow[] = [];
  for (const version of PEER_VERSIONS) {
    context.progress(`embedded-contents: ${version}`);
    const theirs = await measurePeer(context, version);
    const peer = peerName(version);
    const row = (name: string, unit: string, part: (contents: Contents) => Samples) =>
      comparisonRow(`embedded: ${name}`, unit, part(ours), peer, part(theirs));
    rows.push(
      withTargetRatio(
        row("scrape of 100,000 series", "ms", ({ scrape }) => scrape),
        0.5,
      ),
      row("scrape of 100,000 series, CPU", "ms", ({ scrapeCpu }) => scrapeCpu),
      withTargetRatio(
        row("scrape of 100,000 series in gzip", "ms", ({ gzip }) => gzip),
        0.5,
      ),
      row("scrape of 100,000 series in gzip, CPU", "ms", ({ gzipCpu }) => gzipCpu),
      withTargetRatio(
        row("memory of a group", "B", ({ bytesPerGroup }) => [bytesPerGroup]),
        1,
      ),
    );
  }
  return rows;
}

async function measureOurs({ signal }: BenchContext): Promise<Contents> {
  await using server = await startOurs();
  const empty = (await memoryOf(server.pid)).own;
  // Twice, so that what is measured is a store in use: groups that came, and were pushed to.
  for (let round = 0; round < 2; round++) await pushGroups(server.address, 0, GROUPS, signal);
  return await measure(server, empty, signal);
}

async function measurePeer({ signal }: BenchContext, version: (typeof PEER_VERSIONS)[number]): Promise<Contents> {
  const { folder, file } = await saveGroups(version, GROUPS, signal);
  try {
    await using unfilled = await startPeer(version);
    const empty = (await memoryOf(unfilled.pid)).own;
    await using server = await startPeer(version, file);
    // One push, as without any a Pushgateway holds what it has read from the file in the way in which it was read.
    await pushGroups(server.address, 0, 1, signal);
    return await measure(server, empty, signal);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(server: MeasuredPushgateway, emptyMib: number, signal: AbortSignal): Promise<Contents> {
  const filledMib = (await memoryOf(server.pid)).own;
  const plain = await scrapes(server, "identity", signal);
  const zipped = await scrapes(server, "gzip", signal);
  return {
    scrape: plain.elapsed,
    scrapeCpu: plain.cpu,
    gzip: zipped.elapsed,
    gzipCpu: zipped.cpu,
    bytesPerGroup: ((filledMib - emptyMib) * 2 ** 20) / GROUPS,
  };
}

async function scrapes(
  server: MeasuredPushgateway,
  encoding: string,
  signal: AbortSignal,
): Promise<{ readonly elapsed: Samples; readonly cpu: Samples }> {
  using clock = new CpuClock();
  const elapsed: number[] = [];
  const cpu: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    signal.throwIfAborted();
    const [start, cpuStart] = [performance.now(), clock.usedUs(server.pid)];
    const response = await fetch(`http://${server.address}/metrics`, {
      headers: { "accept-encoding": encoding },
      decompress: false,
      signal: AbortSignal.timeout(SCRAPE_DEADLINE_MS),
    });
    await response.arrayBuffer();
    if (response.status !== 200) throw new Error(`Cannot scrape "${server.address}": status ${response.status}`);
    elapsed.push(performance.now() - start);
    cpu.push((clock.usedUs(server.pid) - cpuStart) / 1e3);
  }
  return { elapsed, cpu };
}
