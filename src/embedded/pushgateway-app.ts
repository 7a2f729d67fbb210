import { HttpServer, type HttpServerLimits } from "../http/server.ts";
import type { HttpExchange } from "../http/server-exchange.ts";
import type { Logger } from "../log.ts";
import type { ProcessStats } from "../metrics.ts";
import { GroupStore } from "./group-store.ts";
import { apiRoutes } from "./server/api-routes.ts";
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

/** Longest body, before and after its Content-Encoding is taken off. */
const MAX_BODY_BYTES = 512 * 1024 * 1024;
/** The memory of all bodies that are being received. */
const MAX_BODIES_BYTES = 1024 * 1024 * 1024;

const LIMITS: HttpServerLimits = {
  maxHeaderBytes: 1024 * 1024,
  maxBodyBytes: MAX_BODY_BYTES,
  maxConnections: 16_384,
  headerTimeoutMs: 10_000,
  bodyIdleTimeoutMs: 30_000,
  keepAliveTimeoutMs: 120_000,
};

const STOP_GRACE_MS = 5_000;

/** Starts a Pushgateway and returns once it listens. Rejects when an address cannot be bound. */
export async function startPushgateway(options: PushgatewayOptions): Promise<EmbeddedPushgateway> {
  const { log } = options;
  const onError = (error: unknown) => {
    log.error("Cannot answer a request; please report this", { err: error, stack: (error as Error).stack });
  };
  const metrics = new PushgatewayMetrics(options.version, options.process);
  // Versions of microseconds since 1970 are ahead of those of earlier lives, since no store changes so often.
  const firstVersion = Date.now() * 1_000;
  const store = new GroupStore({ utf8Names: options.utf8Names, ownFamilies: metrics.families(), firstVersion });
  const limits = { maxBodyBytes: MAX_BODY_BYTES, memory: { maxBytes: MAX_BODIES_BYTES, takenBytes: 0 } };
  const durable = undefined;
  const push = new PushRoute(options, { store, metrics, log, onError, limits, durable });
  const { routePrefix } = options;
  const fixed = {
    ...routesOf(store, metrics, options),
    ...groupsApiRoutes({ store, limits, durable, utf8Names: options.utf8Names }),
  };
  const handle = createRequestHandler({ routePrefix, push, fixed, metrics, onError });
  const servers = listenEach(options, handle, onError);
  const [first] = servers as [HttpServer];
  const address = addressOf(first);
  log.info("Pushgateway listening", { addresses: servers.map(addressOf).join(" "), prefix: routePrefix || undefined });
  return {
    url: `http://${address}${routePrefix}`,
    address,
    async stop() {
      await Promise.all(servers.map((server) => server.stop(STOP_GRACE_MS)));
      log.info("Pushgateway stopped", { address });
    },
  };
}

function routesOf(store: GroupStore, metrics: PushgatewayMetrics, options: PushgatewayOptions): RouteTable {
  const startedAt = new Date();
  const exposition = expositionRoute(store, () => metrics.families());
  const status: RouteTable[string] = {
    GET: { handler: "status", answer: statusPage(store, { ...options, startedAt }) },
  };
  return {
    ...managementRoutes({ routePrefix: options.routePrefix, quit: options.onQuit }),
    ...apiRoutes(store, { ...options, startedAt, durable: undefined }),
    "/": status,
    "/status": status,
    [options.telemetryPath]: { GET: { handler: undefined, answer: exposition } },
  };
}

/** All addresses, or none when one cannot be bound. */
function listenEach(
  { listen }: PushgatewayOptions,
  handle: (exchange: HttpExchange) => void,
  onError: (error: unknown) => void,
): readonly HttpServer[] {
  const servers: HttpServer[] = [];
  try {
    for (const address of listen) {
      servers.push(new HttpServer({ ...address, limits: LIMITS, handle, onError, onRefused: () => {} }));
    }
  } catch (error) {
    for (const server of servers) void server.stop(0);
    throw error;
  }
  return servers;
}

function addressOf({ hostname, port }: HttpServer): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
