import type { Selector } from "../matchers/selector.ts";
import type { ListenAddress } from "./address.ts";

/**
 * Everything the configuration file says, with every default filled in. Plain immutable data: a reload makes a new one.
 * Addresses are `host:port` with IPv6 hosts in brackets. What the values mean for an operator, and what raising or
 * lowering them does, is in docs/configuration.md.
 */
export interface Config {
  /** `http_listen_addr`. */
  readonly listen: ListenAddress;
  /** Undefined: no Consul; the servers are given here and checked by the router itself. */
  readonly consul: ConsulConfig | undefined;
  readonly pushgateway: PushgatewayConfig;
  readonly routing: RoutingConfig;
  readonly healthCheck: HealthCheckConfig;
  readonly groups: GroupsConfig;
  readonly limits: LimitsConfig;
}

export interface ConsulConfig {
  /** `host:port` of the agent. */
  readonly address: string;
  readonly scheme: "http" | "https";
  /** Sent as HTTP Basic credentials, for agents behind a reverse proxy. */
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined;
  readonly token: string | undefined;
  /** Absolute path of a file that holds the token. Read it again before use, so that rotated tokens are picked up. */
  readonly tokenFile: string | undefined;
  readonly tls: ConsulTlsConfig | undefined;
  /** Undefined: the agent's own datacenter. */
  readonly datacenter: string | undefined;
  /** Name under which Pushgateways are registered and looked up. */
  readonly serviceName: string;
  /** Whether the configured servers are registered with the agent. */
  readonly register: boolean;
  /** Undefined: Consul never removes a Pushgateway by itself. */
  readonly deregisterCriticalServiceAfterMs: number | undefined;
}

/** PEM texts, not paths: the files are read with the configuration. */
export interface ConsulTlsConfig {
  /** Undefined: the certificate authorities that Bun trusts. */
  readonly ca: string | undefined;
  /** Given together with `key`, or not at all. */
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Undefined: the host of the address. */
  readonly serverName: string | undefined;
  readonly insecureSkipVerify: boolean;
}

export interface PushgatewayConfig {
  /** `host:port`, unique, in the order of the file. Empty only with Consul. */
  readonly servers: readonly string[];
  /** `host:port`, unique. Without Consul a subset of `servers`. */
  readonly draining: readonly string[];
  /** Must equal the Pushgateways' own --push.enable-utf8-names: the flag changes which group a path means. */
  readonly enableUtf8Names: boolean;
}

export const ROUTING_MODES = ["proxy", "redirect", "auto"] as const;
type RoutingMode = (typeof ROUTING_MODES)[number];

interface RoutingConfig {
  readonly mode: RoutingMode;
}

export interface HealthCheckConfig {
  readonly intervalMs: number;
  /** At most `intervalMs`. */
  readonly timeoutMs: number;
  /** Begins with a slash. */
  readonly path: string;
  readonly failuresBeforeDown: number;
  readonly successesBeforeActive: number;
}

/** What is done with groups after they have been pushed. */
export interface GroupsConfig {
  /** Between two searches for copies that are not where they belong. */
  readonly auditIntervalMs: number;
  /** Copies that are deleted from one member in a second, in the background. */
  readonly cleanUpRate: number;
  /** The first rule that matches a group decides. Empty: groups stay until somebody deletes them. */
  readonly ttl: readonly TtlRule[];
}

export interface TtlRule {
  /** Matches job and grouping labels. */
  readonly match: Selector;
  /** Since the last push. */
  readonly afterMs: number;
}

export interface LimitsConfig {
  readonly maxHeaderBytes: number;
  /** 0: no limit. */
  readonly maxBodyBytes: number;
  /** A larger body is streamed, which excludes a second attempt at another member. At most `maxBufferedTotalBytes`. */
  readonly maxBufferedBodyBytes: number;
  /** All buffered bodies together. */
  readonly maxBufferedTotalBytes: number;
  readonly maxConnections: number;
  readonly maxInFlightPerMember: number;
  readonly maxQueuedPerMember: number;
  /** From the last byte of the body to the answer, over all attempts. */
  readonly requestTimeoutMs: number;
  /** A member that has not answered for so long is probed. At most `requestTimeoutMs`. */
  readonly stallTimeoutMs: number;
  /** From the first byte of a request to the end of its header. */
  readonly headerTimeoutMs: number;
  /** Longest pause between two pieces of a body. */
  readonly bodyIdleTimeoutMs: number;
  /** How long a client's connection may stay open without a request. */
  readonly keepAliveTimeoutMs: number;
}

/** Whether it says where Pushgateways are. */
export function namesPushgateways({ pushgateway, consul }: Config): boolean {
  return pushgateway.servers.length > 0 || consul !== undefined;
}
