import { join } from "node:path";
import { part } from "../test/support/parts.ts";
import { runCommand } from "../test/support/run-command.ts";

export interface PushLoad {
  readonly connections: number;
  readonly seconds: number;
  /** Pushes a second over all connections; as many as are answered when absent. */
  readonly rate?: number;
  /** To that many groups of those that embedded/groups.ts makes. When absent, to others, of which a Pushgateway knows nothing. */
  readonly groups?: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

interface LoadSummary extends LoadResult {
  readonly connectErrors: number;
  readonly readErrors: number;
  readonly writeErrors: number;
  readonly badStatuses: number;
  readonly timeouts: number;
}

const SCRIPT = join(import.meta.dir, "push.lua");
const GROUPS_SCRIPT = join(import.meta.dir, "push-groups.lua");

/** Has wrk push to a server, with one thread. Throws unless every push was answered, and below 400. */
export async function runLoad(address: string, load: PushLoad): Promise<LoadResult> {
  const { connections, seconds, rate, groups } = load;
  const script = groups === undefined ? SCRIPT : GROUPS_SCRIPT;
  const pauseMs = rate === undefined ? undefined : Math.round((1000 * connections) / rate);
  const argument = groups ?? pauseMs;
  const argv = [await part("wrk"), "-t1", `-c${connections}`, `-d${seconds}s`, "-s", script, `http://${address}`];
  const output = await runCommand(argument === undefined ? argv : [...argv, "--", String(argument)], {
    timeoutMs: seconds * 1000 + 20_000,
  });
  const summary = JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as LoadSummary;
  const { requests, p50Us, p99Us, ...errors } = summary;
  if (requests === 0 || Object.values(errors).some((count) => count > 0)) {
    throw new Error(`Cannot use the load on "${address}": ${JSON.stringify(summary)}`);
  }
  return { requests, p50Us, p99Us };
}
