import { HttpServer, type HttpServerLimits, type HttpServerOptions } from "../http/server.ts";
import type { Logger } from "../log.ts";
import type { ProcessStats } from "../metrics.ts";
import { GroupStore } from "./group-store.ts";
import { openPersistence, type Persistence, type PersistenceOptions } from "./persistence.ts";
import { apiRoutes } from "./server/api-routes.ts";
import type { Durable } from "./server/durable.ts";
import { expositionRoute } from "./server/exposition-route.ts";
import { groupsApiRoutes } from "./server/groups-api.ts";
import { managementRoutes } from "./server/management-routes.ts";
import { PushRoute } from "./server/push-route.ts";
import { PushgatewayMetrics } from "./server/pushgateway-metrics.ts";
import { createRequestHandler } from "./server/request-handler.ts";
import type { RouteTable } from "./server/route.ts";
import { statusPage } from "./server/status-page.ts";

export interface PushgatewayOptions {
  /** Where to listen. An empty host name means every interface, a port of 0 any free one. */
  readonly listen: readonly { readonly hostname: string; readonly port: number }[];
  /** Under which all routes lie, such as `/pushgateway`; empty for none. */
  readonly routePrefix: string;
  readonly telemetryPath: string;
  /** Told that the end was asked for by /-/quit; undefined: the lifecycle API is off. */
  readonly onQuit: (() => void) | undefined;
  readonly enableAdminApi: boolean;
  /** --push.enable-utf8-names */
  readonly utf8Names: boolean;
  /** False for --push.disable-consistency-check. */
  readonly reportsInconsistency: boolean;
  /** Longest body, before and after its Content-Encoding is taken off. Storing it may take eighty times as much memory. */
  readonly maxBodyBytes: number;
  /** Where groups are kept over restarts; in memory only when undefined. */
  readonly persistence: Pick<PersistenceOptions, "file" | "sync" | "intervalMs"> | undefined;
  /** The command line, for `GET /api/v1/status`. */
  readonly flags: Readonly<Record<string, string>>;
  readonly log: Logger;
  readonly version: string;
  readonly process: ProcessStats;
}

/** A running Pushgateway. */
export interface EmbeddedPushgateway {
  /** Where it listens first, with the route prefix. */
  readonly url: string;
  /** host:port of the same. */
  readonly address: string;
  /** Stops listening, lets running requests finish, and ends everything else. */
  stop(): Promise<void>;
}

/** So many of the longest bodies can be received at the same time. */
const MAX_LONGEST_BODIES = 4;

const LIMITS: Omit<HttpServerLimits, "maxBodyBytes"> = {
  maxHeaderBytes: 1024 * 1024,
  maxConnections: 16_384,
  headerTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
  keepAliveTimeoutMs: 120_000,
};

const STOP_GRACE_MS = 5_000;

/**
 * Starts a Pushgateway and returns once it listens. Rejects when an address cannot be bound or the persistence file cannot
 * be used.
 */
export async function startPushgateway(options: PushgatewayOptions): Promise<EmbeddedPushgateway> {
  const { log, utf8Names } = options;
  const persistence = options.persistence && openPersistence({ ...options.persistence, log });
  try {
    const metrics = new PushgatewayMetrics(options.version, options.process, persistence && (() => persistence.stats));
    const ownFamilies = metrics.families();
    const store = new GroupStore({ utf8Names, ownFamilies, firstVersion: Date.now() * VERSIONS_PER_MS });
    await persistence?.load(store);
    if (persistence !== undefined) store.observe(persistence);
    return listenWith(options, store, metrics, persistence);
  } catch (error) {
    await persistence?.close().catch(() => {});
    throw error;
  }
}

/** No store changes so often that its versions would reach those of a life that begins later. */
const VERSIONS_PER_MS = 1_000;

function listenWith(
  options: PushgatewayOptions,
  store: GroupStore,
  metrics: PushgatewayMetrics,
  persistence: Persistence | undefined,
): EmbeddedPushgateway {
  const { log, routePrefix } = options;
  const onError = (error: unknown) => {
    log.error("Cannot answer a request; please report this", { err: error, stack: (error as Error).stack });
  };
  const { maxBodyBytes } = options;
  const limits = { maxBodyBytes, memory: { maxBytes: MAX_LONGEST_BODIES * maxBodyBytes, takenBytes: 0 } };
  const durable = options.persistence?.sync === "push" ? () => (persistence as Persistence).durable() : undefined;
  const push = new PushRoute(options, { store, metrics, log, onError, limits, durable });
  const fixed = {
    ...routesOf(store, metrics, options, durable),
    ...groupsApiRoutes({ store, limits, durable, utf8Names: options.utf8Names }),
  };
  const servers = listenEach(options.listen, {
    limits: { ...LIMITS, maxBodyBytes },
    handle: createRequestHandler({ routePrefix, push, fixed, metrics, onError }),
    onError,
    onRefused: () => {},
  });
  const address = addressOf(servers[0] as HttpServer);
  log.info("Pushgateway listening", {
    addresses: servers.map(addressOf).join(" "),
    prefix: routePrefix || undefined,
    groups: store.size,
  });
  return {
    url: `http://${address}${routePrefix}`,
    address,
    async stop() {
      await Promise.all(servers.map((server) => server.stop(STOP_GRACE_MS)));
      await persistence?.close();
      log.info("Pushgateway stopped", { address });
    },
  };
}

function routesOf(
  store: GroupStore,
  metrics: PushgatewayMetrics,
  options: PushgatewayOptions,
  durable: Durable | undefined,
): RouteTable {
  const startedAt = new Date();
  const exposition = expositionRoute(store, () => metrics.families());
  const status: RouteTable[string] = {
    GET: { handler: "status", answer: statusPage(store, { ...options, startedAt }) },
  };
  return {
    ...managementRoutes({ routePrefix: options.routePrefix, quit: options.onQuit }),
    ...apiRoutes(store, { ...options, startedAt, durable }),
    "/": status,
    "/status": status,
    [options.telemetryPath]: { GET: { handler: undefined, answer: exposition } },
  };
}

/** All addresses, or none when one cannot be bound. */
function listenEach(
  addresses: PushgatewayOptions["listen"],
  options: Omit<HttpServerOptions, "hostname" | "port">,
): readonly HttpServer[] {
  const servers: HttpServer[] = [];
  try {
    for (const address of addresses) servers.push(new HttpServer({ ...address, ...options }));
  } catch (error) {
    for (const server of servers) void server.stop(0);
    throw error;
  }
  return servers;
}

function addressOf({ hostname, port }: HttpServer): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
