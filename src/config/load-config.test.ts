import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "./config.ts";
import { ConfigError, formatProblem } from "./config-error.ts";
import { loadConfig } from "./load-config.ts";

const REPOSITORY = resolve(import.meta.dir, "../..");
const FOLDER = join(REPOSITORY, "test/testdata/config");

async function problemsOf(file: string): Promise<readonly string[]> {
  try {
    await loadConfig(join(FOLDER, file));
  } catch (error) {
    if (error instanceof ConfigError)
      return error.problems.map((problem) => formatProblem(problem).replaceAll(`${FOLDER}/`, ""));
    throw error;
  }
  return [];
}

/** Every problem of every bad file, as printed. */
const BAD_FILES: Readonly<Record<string, readonly string[]>> = {
  "consul.bad.yml": [
    "consul.bad.yml:2:3: consul_server.username: expected a user name to go with the password",
    "consul.bad.yml:3:11: consul_server.scheme: addr begins with https://; make both the same",
    "consul.bad.yml:5:18: consul_server.password_file: both password and password_file are set; remove one",
    'consul.bad.yml:7:15: consul_server.token_file: expected a file with content, "secrets/empty" is empty',
    "consul.bad.yml:9:5: consul_server.tls_config: has no effect over plain http; set scheme: https or remove it",
    'consul.bad.yml:9:14: consul_server.tls_config.ca_file: "secrets/token" holds no certificate in PEM form',
    "consul.bad.yml:11:15: consul_server.tls_config.key_file: is not the private key of the certificate in cert_file",
    "consul.bad.yml:12:18: consul_server.tls_config.server_name: expected a value, got a list",
  ],
  "documents.bad.yml": ["documents.bad.yml:2:1: expected a single YAML document"],
  "duplicates.bad.yml": [
    'duplicates.bad.yml:5:7: pushgateway.servers[1]: "PG-1:9091" is already servers[0]; remove one',
    'duplicates.bad.yml:7:7: pushgateway.servers[3]: "pg-2:9091" is already servers[2]; remove one',
    "duplicates.bad.yml:9:3: pushgateway.port: the key is already set in line 2; remove one",
    "duplicates.bad.yml:10:31: limits.max_connections: the key is already set in line 10; remove one",
    "duplicates.bad.yml:11:1: pushgateway: the key is already set in line 1; remove one",
  ],
  "groups.bad.yml": [
    'groups.bad.yml:2:19: groups.audit_interval: expected a duration such as "5s", "1m30s" or "250ms", got "5"',
    "groups.bad.yml:3:18: groups.clean_up_rate: expected at least 1, got 0",
    'groups.bad.yml:5:14: groups.ttl[0].match: Cannot read the selector spark at character 1: expected labels of groups such as {job="a"}, got a metric name, which groups do not have',
    'groups.bad.yml:7:7: groups.ttl[1].match: expected a selector of groups such as {job=~"spark-.*"}',
    "groups.bad.yml:7:14: groups.ttl[1].after: expected at least 1s, got 100ms",
    "groups.bad.yml:8:7: groups.ttl[2].after: expected how long after its last push a group expires, such as 24h",
    'groups.bad.yml:8:14: groups.ttl[2].match: Cannot read the selector {job=~"(?!spark).*"} at character 7: expected a regular expression of RE2, got look-around, which RE2 does not have (character 1 of the expression)',
    'groups.bad.yml:10:14: groups.ttl[3].match: Cannot read the selector {job=~".*"} at character 1: expected at least one matcher that does not match the empty string, such as job="a" or job=~".+"',
    'groups.bad.yml:12:14: groups.ttl[4].match: Cannot read the selector {job="spark" at character 13: expected a matcher such as job="a", a comma or "}", got the end',
    "groups.bad.yml:14:14: groups.ttl[5].match: expected a value, got a mapping; put quotes around a value that begins with {",
    'groups.bad.yml:16:7: groups.ttl[6].match: expected a selector of groups such as {job=~"spark-.*"}',
    "groups.bad.yml:16:7: groups.ttl[6].after: expected how long after its last push a group expires, such as 24h",
    "groups.bad.yml:16:7: groups.ttl[6].for: unknown key; expected one of after, match",
    'groups.bad.yml:17:7: groups.ttl[7]: expected a mapping of keys to values, got "24h"',
    "groups.bad.yml:18:6: groups.ttl[8]: expected a mapping of keys to values, got nothing",
  ],
  "list.bad.yml": ["list.bad.yml:1:1: expected a mapping of keys to values"],
  "odd-keys.bad.yml": [
    "odd-keys.bad.yml:1:3: expected a key, got something that is not a plain text",
    "odd-keys.bad.yml:3:1: expected a key, got something that is not a plain text",
  ],
  "odd-yaml.bad.yml": [
    "odd-yaml.bad.yml:1:14: unknown tag; put quotes around a value that begins with !",
    "odd-yaml.bad.yml:2:13: unknown alias; put quotes around a value that begins with *",
  ],
  "relations.bad.yml": [
    "relations.bad.yml:1:40: health_check.timeout: expected at most 5s (health_check.interval), got 10s",
    "relations.bad.yml:4:18: limits.stall_timeout: expected at most 2s (limits.request_timeout), got 2s1ms",
    "relations.bad.yml:5:28: limits.max_buffered_body_bytes: expected at most 1MiB (limits.max_buffered_total_bytes), got 2MiB",
    "relations.bad.yml:9:13: pushgateway.draining: every server is draining, so no push could be taken; leave at least one out",
    'relations.bad.yml:9:14: pushgateway.draining[0]: "pg-3:9091" is not one of pushgateway.servers; add it there too',
    'relations.bad.yml:9:32: pushgateway.draining[3]: "pg-1:9091" is already draining[1]; remove one',
  ],
  "secret-files.bad.yml": [
    'secret-files.bad.yml:2:15: consul_server.token_file: cannot read "secrets/none": no such file',
    'secret-files.bad.yml:3:18: consul_server.password_file: cannot read "secrets": it is not a regular file',
    'secret-files.bad.yml:6:14: consul_server.tls_config.ca_file: cannot read "/dev/zero": it is not a regular file',
    "secret-files.bad.yml:8:5: consul_server.tls_config.key_file: expected a file to go with cert_file",
  ],
  "syntax.bad.yml": [
    "syntax.bad.yml:3:1: Flow sequence in block collection must be sufficiently indented and end with a ]",
  ],
  "tabs.bad.yml": ["tabs.bad.yml:2:1: Tabs are not allowed as indentation"],
  "tls-without-key.bad.yml": [
    "tls-without-key.bad.yml:5:18: consul_server.password_file: both password and password_file are set; remove one",
    "tls-without-key.bad.yml:7:15: consul_server.token_file: both token and token_file are set; remove one",
    "tls-without-key.bad.yml:9:5: consul_server.tls_config.key_file: expected a file to go with cert_file",
    "tls-without-key.bad.yml:9:5: consul_server.tls_config: has no effect over plain http; set scheme: https or remove it",
  ],
  "types.bad.yml": [
    'types.bad.yml:1:16: consul_server: expected a mapping of keys to values, got "localhost:8500"',
    "types.bad.yml:2:19: http_listen_addr: expected a value, got a list",
    'types.bad.yml:4:9: pushgateway.port: expected a whole number, got "ninety"',
    'types.bad.yml:5:12: pushgateway.servers: expected a list, got "pg-1"',
    "types.bad.yml:6:13: pushgateway.draining: expected a list, got a mapping",
    'types.bad.yml:7:22: pushgateway.enable_utf8_names: expected true or false, got "yes"',
    'types.bad.yml:8:10: routing: expected a mapping of keys to values, got "proxy"',
    'types.bad.yml:10:13: health_check.interval: expected a duration such as "5s", "1m30s" or "250ms", got "5"',
    'types.bad.yml:11:25: health_check.failures_before_down: expected a whole number, got "2.5"',
    "types.bad.yml:13:3: limits: expected a mapping of keys to values, got a list",
    "types.bad.yml:15:8: groups.ttl: expected a list, got a mapping",
  ],
  "unknown-keys.bad.yml": [
    'unknown-keys.bad.yml:2:3: consul_server.adr: unknown key; did you mean "addr"?',
    'unknown-keys.bad.yml:4:5: consul_server.tls_config.cafile: unknown key; did you mean "ca_file"?',
    'unknown-keys.bad.yml:5:1: http_listen_address: unknown key; did you mean "http_listen_addr"?',
    "unknown-keys.bad.yml:8:3: pushgateway.replicas: unknown key; expected one of draining, enable_utf8_names, port, servers",
    "unknown-keys.bad.yml:9:1: rules: unknown key; expected one of consul_server, groups, health_check, http_listen_addr, limits, pushgateway, routing",
    'unknown-keys.bad.yml:11:3: limits.maxBodyBytes: unknown key; did you mean "max_body_bytes"?',
    "unknown-keys.bad.yml:12:3: limits.__proto__: unknown key; expected one of body_idle_timeout, header_timeout, keep_alive_timeout, max_body_bytes, max_buffered_body_bytes, max_buffered_total_bytes, max_connections, max_header_bytes, max_in_flight_per_member, max_queued_per_member, request_timeout, stall_timeout",
    'unknown-keys.bad.yml:14:3: health_check.intervall: unknown key; did you mean "interval"?',
  ],
  "values.bad.yml": [
    'values.bad.yml:2:9: consul_server.addr: expected host:port such as "localhost:8500", got "localhost" without a port',
    'values.bad.yml:3:11: consul_server.scheme: expected one of http, https, got "htps"; did you mean "https"?',
    "values.bad.yml:4:38: consul_server.deregister_critical_service_after: expected at least 1m, got 5s",
    'values.bad.yml:5:19: http_listen_addr: expected an address to listen on such as ":9292" or "127.0.0.1:9292", got "9292"',
    "values.bad.yml:7:9: pushgateway.port: expected at most 65535, got 65536",
    'values.bad.yml:9:7: pushgateway.servers[0]: expected host:port, a host name or an IP address, got "10.0.0.256"',
    'values.bad.yml:10:7: pushgateway.servers[1]: expected host:port, a host name or an IP address, without a scheme, got "http://pg-1:9091"',
    'values.bad.yml:11:7: pushgateway.servers[2]: expected a port between 1 and 65535, got "pg-1:0"',
    'values.bad.yml:12:7: pushgateway.servers[3]: expected a port up to 65535 after the colon, got "pg-1:99999"',
    'values.bad.yml:13:7: pushgateway.servers[4]: expected an IPv6 address between the brackets, got "[pg-1]:9091"',
    'values.bad.yml:14:7: pushgateway.servers[5]: expected host:port, a host name or an IP address, without an IPv6 zone, got "fe80::1%eth0"',
    'values.bad.yml:16:7: pushgateway.servers[7]: expected host:port, a host name or an IP address, got "-pg"',
    'values.bad.yml:17:7: pushgateway.servers[8]: expected a host before the colon, got ":9091"',
    "values.bad.yml:18:7: pushgateway.servers[9]: expected host:port, a host name or an IP address, without user name and password",
    "values.bad.yml:19:6: pushgateway.servers[10]: expected a value, got nothing",
    "values.bad.yml:20:7: pushgateway.servers[11]: expected a value, got a list",
    'values.bad.yml:21:18: routing.mode: expected one of proxy, redirect, auto, got "Proxy"; did you mean "proxy"?',
    'values.bad.yml:23:13: health_check.interval: expected a duration such as "5s", "1m30s" or "250ms", got "1500"',
    'values.bad.yml:24:12: health_check.timeout: expected a duration such as "5s", "1m30s" or "250ms", got "2 s"',
    'values.bad.yml:25:9: health_check.path: expected a path such as "/-/healthy", with special characters percent-encoded, got "healthy"',
    "values.bad.yml:26:25: health_check.failures_before_down: expected at least 1, got 0",
    "values.bad.yml:27:28: health_check.successes_before_active: expected at most 100, got 101",
    'values.bad.yml:29:21: limits.max_header_bytes: expected a size in bytes such as 65536, "512KiB" or "2MB", got "1Mib"; did you mean "1MiB"?',
    'values.bad.yml:30:19: limits.max_body_bytes: expected a size in bytes such as 65536, "512KiB" or "2MB", got "-1"',
    'values.bad.yml:31:28: limits.max_buffered_body_bytes: expected a size in bytes such as 65536, "512KiB" or "2MB", got "1.5MiB"',
    "values.bad.yml:32:29: limits.max_buffered_total_bytes: expected at most 64GiB, got 65GiB",
    'values.bad.yml:33:20: limits.max_connections: expected a whole number, got "1e3"',
    'values.bad.yml:34:20: limits.request_timeout: expected a duration such as "5s", "1m30s" or "250ms", got "1m1h"',
    "values.bad.yml:35:18: limits.stall_timeout: expected at least 10ms, got 1ms",
  ],
};

const DEFAULTS = {
  listen: { hostname: "", port: 9292 },
  consul: undefined,
  pushgateway: { servers: [], draining: [], enableUtf8Names: false },
  routing: { mode: "proxy" },
  healthCheck: {
    intervalMs: 5000,
    timeoutMs: 2000,
    path: "/-/healthy",
    failuresBeforeDown: 3,
    successesBeforeActive: 2,
  },
  groups: { auditIntervalMs: 300_000, cleanUpRate: 500, ttl: [] },
  limits: {
    maxHeaderBytes: 1_048_576,
    maxBodyBytes: 0,
    maxBufferedBodyBytes: 1_048_576,
    maxBufferedTotalBytes: 134_217_728,
    maxConnections: 16_384,
    maxInFlightPerMember: 256,
    maxQueuedPerMember: 4096,
    requestTimeoutMs: 4500,
    stallTimeoutMs: 1000,
    headerTimeoutMs: 10_000,
    bodyIdleTimeoutMs: 30_000,
    keepAliveTimeoutMs: 120_000,
  },
} satisfies Config;

const CONSUL_DEFAULTS = {
  address: "localhost:8500",
  scheme: "http",
  basicAuth: undefined,
  token: undefined,
  tokenFile: undefined,
  tls: undefined,
  datacenter: undefined,
  serviceName: "pushgateway",
  register: true,
  deregisterCriticalServiceAfterMs: undefined,
} satisfies Config["consul"];

const CERTIFICATE = await Bun.file(join(FOLDER, "tls/client.cert.pem")).text();
const PRIVATE_KEY = await Bun.file(join(FOLDER, "tls/client.key.pem")).text();

/** What every good file says. */
const GOOD_FILES: Readonly<Record<string, Config>> = {
  "predecessor.good.yml": {
    ...DEFAULTS,
    consul: CONSUL_DEFAULTS,
    pushgateway: { ...DEFAULTS.pushgateway, servers: ["1.1.1.1:9091", "1.1.1.2:9091"] },
  },
  "minimal.good.yml": {
    ...DEFAULTS,
    pushgateway: {
      ...DEFAULTS.pushgateway,
      servers: ["pushgateway-0:9091", "pushgateway-1:9191", "[::1]:9091", "[::2]:9091", "PG.example.:9091"],
    },
  },
  "anchors.good.yml": {
    ...DEFAULTS,
    pushgateway: { ...DEFAULTS.pushgateway, servers: ["pg-1:9091", "pg-2:9091"], draining: ["pg-1:9091"] },
  },
  "empty.good.yml": DEFAULTS,
  "no-servers.good.yml": DEFAULTS,
  "empty-sections.good.yml": { ...DEFAULTS, consul: CONSUL_DEFAULTS },
  "password-file.good.yml": {
    ...DEFAULTS,
    consul: { ...CONSUL_DEFAULTS, basicAuth: { username: "router", password: "pass word" } },
  },
  "full.good.yml": {
    listen: { hostname: "::1", port: 9293 },
    consul: {
      address: "consul.example.org:8501",
      scheme: "https",
      basicAuth: { username: "router", password: "0123" },
      token: undefined,
      tokenFile: join(FOLDER, "secrets/token"),
      tls: {
        ca: CERTIFICATE,
        cert: CERTIFICATE,
        key: PRIVATE_KEY,
        serverName: "consul.internal",
        insecureSkipVerify: true,
      },
      datacenter: "eu-1",
      serviceName: "pgw",
      register: false,
      deregisterCriticalServiceAfterMs: 72 * 3_600_000,
    },
    pushgateway: { servers: ["10.0.0.1:9191", "10.0.0.2:9091"], draining: ["10.0.0.9:9191"], enableUtf8Names: true },
    routing: { mode: "auto" },
    healthCheck: {
      intervalMs: 90_000,
      timeoutMs: 250,
      path: "/pushgateway/-/healthy?probe=1",
      failuresBeforeDown: 1,
      successesBeforeActive: 5,
    },
    groups: {
      auditIntervalMs: 60_000,
      cleanUpRate: 20,
      ttl: [
        { match: expect.objectContaining({ text: '{job=~"spark-.*"}' }), afterMs: 86_400_000 },
        { match: expect.objectContaining({ text: '{job!="", instance=~`a\\d`}' }), afterMs: 90_000 },
      ],
    },
    limits: {
      maxHeaderBytes: 65_536,
      maxBodyBytes: 50_000_000,
      maxBufferedBodyBytes: 524_288,
      maxBufferedTotalBytes: 1_073_741_824,
      maxConnections: 1000,
      maxInFlightPerMember: 10,
      maxQueuedPerMember: 0,
      requestTimeoutMs: 3000,
      stallTimeoutMs: 3000,
      headerTimeoutMs: 1000,
      bodyIdleTimeoutMs: 60_000,
      keepAliveTimeoutMs: 3_600_000,
    },
  },
};

describe("loadConfig()", () => {
  test.each(Object.entries(GOOD_FILES))("reads %s", async (file, config) => {
    expect(await loadConfig(join(FOLDER, file))).toEqual(config);
  });

  test.each(Object.entries(BAD_FILES))("reports every problem of %s", async (file, problems) => {
    expect(await problemsOf(file)).toEqual([...problems]);
  });

  test("is tested with every file in test/testdata/config", () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yml"));
    expect(files.toSorted()).toEqual([...Object.keys(GOOD_FILES), ...Object.keys(BAD_FILES)].toSorted());
  });

  test.each([
    ["none.yml", "none.yml: cannot read the file: no such file"],
    [".", `${FOLDER}: cannot read the file: it is a directory`],
  ])("says why it cannot read %s", async (file, problem) => {
    expect(await problemsOf(file)).toEqual([problem]);
  });

  test("takes every default for the example, except where the example has to name something", async () => {
    const config = await loadConfig(join(REPOSITORY, "dynamic-sharding.example.yml"));
    expect(config.limits).toEqual(DEFAULTS.limits);
    expect(config.healthCheck).toEqual(DEFAULTS.healthCheck);
    expect(config.groups).toEqual(DEFAULTS.groups);
    expect(config.routing).toEqual(DEFAULTS.routing);
    expect(config.listen).toEqual(DEFAULTS.listen);
  });
});
