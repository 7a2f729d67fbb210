import { parseListenAddress } from "./address.ts";
import { type Config, type HealthCheckConfig, type LimitsConfig, ROUTING_MODES } from "./config.ts";
import type { ConfigSection } from "./config-section.ts";
import { readConsul } from "./read-consul.ts";
import { readGroups } from "./read-groups.ts";
import { readPushgateway } from "./read-pushgateway.ts";
import type { SecretFiles } from "./secret-files.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** The keys of the configuration file, with their defaults and bounds. */
export function readConfig(root: ConfigSection, files: SecretFiles): Config {
  const consul = root.optionalSection("consul_server", (section) => readConsul(section, files));
  return {
    listen: root.value("http_listen_addr", parseListenAddress) ?? { hostname: "", port: 9292 },
    consul,
    pushgateway: root.section("pushgateway", (section) => readPushgateway(section, consul !== undefined)),
    routing: root.section("routing", (section) => ({ mode: section.choice("mode", ROUTING_MODES, "proxy") })),
    healthCheck: root.section("health_check", readHealthCheck),
    groups: root.section("groups", readGroups),
    limits: root.section("limits", readLimits),
  };
}

function readHealthCheck(section: ConfigSection): HealthCheckConfig {
  const intervalMs = section.duration("interval", 5 * SECOND, { min: 100, max: 60 * MINUTE });
  const withinInterval = { min: 10, max: intervalMs, maxKey: "health_check.interval" };
  return {
    intervalMs,
    timeoutMs: section.duration("timeout", Math.min(2 * SECOND, intervalMs), withinInterval),
    path: section.value("path", parsePath) ?? "/-/healthy",
    failuresBeforeDown: section.integer("failures_before_down", 3, { min: 1, max: 100 }),
    successesBeforeActive: section.integer("successes_before_active", 2, { min: 1, max: 100 }),
  };
}

function readLimits(section: ConfigSection): LimitsConfig {
  const timeout = { min: 10, max: 60 * MINUTE };
  const requestTimeoutMs = section.duration("request_timeout", 4500, timeout);
  const withinRequest = { min: 10, max: requestTimeoutMs, maxKey: "limits.request_timeout" };
  const maxBufferedTotalBytes = section.size("max_buffered_total_bytes", 128 * MIB, { min: 0, max: 64 * GIB });
  const withinBuffers = { min: 0, max: maxBufferedTotalBytes, maxKey: "limits.max_buffered_total_bytes" };
  return {
    maxHeaderBytes: section.size("max_header_bytes", 1 * MIB, { min: 4 * KIB, max: 64 * MIB }),
    maxBodyBytes: section.size("max_body_bytes", 0, { min: 0, max: 1024 * GIB }),
    maxBufferedBodyBytes: section.size(
      "max_buffered_body_bytes",
      Math.min(1 * MIB, maxBufferedTotalBytes),
      withinBuffers,
    ),
    maxBufferedTotalBytes,
    maxConnections: section.integer("max_connections", 16_384, { min: 1, max: 1_000_000 }),
    maxInFlightPerMember: section.integer("max_in_flight_per_member", 256, { min: 1, max: 65_536 }),
    maxQueuedPerMember: section.integer("max_queued_per_member", 4096, { min: 0, max: 1_000_000 }),
    requestTimeoutMs,
    stallTimeoutMs: section.duration("stall_timeout", Math.min(1 * SECOND, requestTimeoutMs), withinRequest),
    headerTimeoutMs: section.duration("header_timeout", 10 * SECOND, timeout),
    bodyIdleTimeoutMs: section.duration("body_idle_timeout", 30 * SECOND, timeout),
    keepAliveTimeoutMs: section.duration("keep_alive_timeout", 120 * SECOND, timeout),
  };
}

function parsePath(text: string): string {
  if (!/^\/[!-~]*$/.test(text) || text.includes("#")) {
    throw new RangeError(
      `expected a path such as "/-/healthy", with special characters percent-encoded, got "${text}"`,
    );
  }
  return text;
}
