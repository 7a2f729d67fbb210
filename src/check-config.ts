import { formatListenAddress } from "./config/address.ts";
import { type Config, namesPushgateways } from "./config/config.ts";
import { ConfigError, formatProblem } from "./config/config-error.ts";
import { loadConfig } from "./config/load-config.ts";

export interface CheckResult {
  /** Whether every file can be used. */
  readonly ok: boolean;
  /** A line for each good file and one for each problem of the others. */
  readonly text: string;
}

/** Checks configuration files as a start would, without starting anything. */
export async function checkConfig(files: readonly string[]): Promise<CheckResult> {
  const results = await Promise.all(files.map(checkFile));
  return { ok: results.every(({ ok }) => ok), text: results.map(({ text }) => text).join("") };
}

async function checkFile(file: string): Promise<CheckResult> {
  try {
    return { ok: true, text: `${file}: SUCCESS: ${summarize(await loadConfig(file))}\n` };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ok: false, text: error.problems.map((problem) => `${formatProblem(problem)}\n`).join("") };
  }
}

/** What an operator would want to see at a glance before a reload. */
function summarize(config: Config): string {
  const { listen, consul, routing } = config;
  const { draining } = config.pushgateway;
  const parts = [countServers(config)];
  if (draining.length > 0) parts.push(`${draining.length} draining`);
  if (consul !== undefined) parts.push(`service "${consul.serviceName}" in Consul at ${consul.address}`);
  return [...parts, `mode ${routing.mode}`, `listening on ${formatListenAddress(listen)}`].join(", ");
}

function countServers(config: Config): string {
  if (!namesPushgateways(config)) return "no servers, so embedded Pushgateways will start, in memory only";
  const { servers } = config.pushgateway;
  return `${servers.length} ${servers.length === 1 ? "server" : "servers"}`;
}
