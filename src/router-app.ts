import type { Config } from "./config/config.ts";
import { ConfigReloader, type ReloadResult } from "./config/reloader.ts";
import { HttpServer, type HttpServerLimits } from "./http/server.ts";
import type { Logger } from "./log.ts";
import { selectsGroup } from "./matchers/selects-group.ts";
import type { MemberSet } from "./membership/member-set.ts";
import { Membership, type MembershipOptions } from "./membership/membership.ts";
import { longestCheckDelayMs } from "./membership/tracked-member.ts";
import { type ProcessStats, RouterMetrics } from "./metrics.ts";
import { Placement } from "./placement/placement.ts";
import type { PlacementOptions } from "./placement/placement-surroundings.ts";
import type { PushgatewayClientOptions } from "./pushgateway/pushgateway-client.ts";
import { PushgatewayClients } from "./pushgateway/pushgateway-clients.ts";
import type { GroupingKey } from "./sharding/grouping-key.ts";
import { ClusterListings } from "./web/cluster/cluster-listings.ts";
import { clusterRoutes } from "./web/cluster/cluster-routes.ts";
import type { ChooseCopy } from "./web/cluster/group-copy.ts";
import { federateRoute } from "./web/federate/federate-route.ts";
import { httpSdRoute } from "./web/http-sd.ts";
import { managementRoutes } from "./web/management.ts";
import { PushRoute, type PushRouteOptions } from "./web/push-route.ts";
import { type MemberHoldings, StatusApi } from "./web/status-api.ts";
import { createWebHandler, type Route } from "./web/web-handler.ts";
import { WorkSlices } from "./work-slices.ts";

export interface RouterOptions {
  readonly config: Config;
  /** Reads the configuration anew, for a reload. */
  readonly loadConfig: () => Promise<Config>;
  readonly log: Logger;
  /** Whether /-/reload is open to HTTP clients. */
  readonly enableLifecycle: boolean;
  readonly version: string;
  readonly process: ProcessStats;
}

export interface Router {
  /** Where it listens, as a URL. */
  readonly url: string;
  /** Reads the configuration anew and puts it into effect. Never rejects; a bad file leaves the running one in place. */
  reload(): Promise<ReloadResult>;
  /** Stops listening, lets pushes under way finish, then ends everything else. */
  stop(): Promise<void>;
}

/** Added to the request deadline when stopping, so that a push that runs into its deadline still gets its answer. */
const STOP_GRACE_MS = 1_000;

/**
 * Starts a router and returns once it listens. It is ready when discovery has reported; pushes that come before wait for it.
 * Rejects when the address cannot be bound.
 */
export function startRouter(options: RouterOptions): Promise<Router> {
  return RouterApp.start(options);
}

/** Joins the rooms: membership says which Pushgateways exist, web carries each push to the one that owns it. */
class RouterApp implements Router {
  readonly #options: RouterOptions;
  readonly #viaName = `dynamic-sharding-${crypto.randomUUID().slice(0, 8)}`;
  readonly #metrics: RouterMetrics;
  readonly #membership: Membership;
  readonly #clients: PushgatewayClients;
  readonly #placement: Placement;
  readonly #pushRoute: PushRoute;
  readonly #reloader: ConfigReloader;
  readonly #server: HttpServer;
  readonly #slices = new WorkSlices();
  readonly #listings = new ClusterListings(this.#slices);
  readonly #stopped = new AbortController();
  #stopping: Promise<void> | undefined;

  static async start(options: RouterOptions): Promise<Router> {
    const app = new RouterApp(options);
    app.#membership.start();
    options.log.info("Listening", { address: app.url, mode: options.config.routing.mode });
    return app;
  }

  private constructor(options: RouterOptions) {
    const { config, log } = options;
    this.#options = options;
    this.#metrics = new RouterMetrics(options.version, this.#metricSources(), options.process);
    this.#membership = new Membership(membershipOptions(config), {
      log,
      observer: this.#metrics,
      prepare: (address, signal) => this.#placement.admit(address, signal),
    });
    this.#clients = new PushgatewayClients(this.#clientOptions(config));
    this.#placement = new Placement(placementOptions(config), {
      members: () => this.#membership.current,
      clients: this.#clients,
      isInFlight: (id) => this.#pushRoute.isInFlight(id),
      slices: this.#slices,
      observer: this.#metrics,
      log,
    });
    this.#pushRoute = new PushRoute(this.#pushRouteOptions(config), {
      members: () => this.#membership.current,
      whenReady: (signal) => this.#membership.whenReady(signal),
      clients: this.#clients,
      placement: this.#placement,
      metrics: this.#metrics,
      log,
    });
    this.#reloader = new ConfigReloader({ config, load: options.loadConfig, apply: (next) => this.#apply(next), log });
    this.#metrics.reloaded(true);
    this.#membership.onChange((next, previous) => this.#onMembersChanged(next, previous));
    this.#server = new HttpServer({
      ...config.listen,
      limits: serverLimits(config),
      handle: this.#createHandler(),
      onError: (error) => log.error("Cannot handle a request; please report this", { err: error, stack: error.stack }),
      onRefused: (status) => this.#metrics.requestDone("none", status),
    });
  }

  get url(): string {
    const { hostname, port } = this.#server;
    return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  }

  async reload(): Promise<ReloadResult> {
    const result = await this.#reloader.reload();
    this.#metrics.reloaded(result.ok);
    return result;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopOnce();
    return this.#stopping;
  }

  async #stopOnce(): Promise<void> {
    await this.#server.stop(this.#reloader.config.limits.requestTimeoutMs + STOP_GRACE_MS);
    this.#stopped.abort(new Error("The router stops"));
    this.#pushRoute.close();
    this.#listings.close();
    await this.#placement.stop();
    await this.#membership.stop();
    this.#clients.close();
    this.#options.log.info("Stopped");
  }

  /** Puts a configuration into effect that has passed every check. Nothing here can fail. */
  async #apply(next: Config): Promise<void> {
    const { listen } = this.#reloader.config;
    if (next.listen.hostname !== listen.hostname || next.listen.port !== listen.port) {
      this.#options.log.warn("Ignoring the new listen address until the next restart", { address: this.url });
    }
    this.#server.setLimits(serverLimits(next));
    this.#clients.reconfigure(this.#clientOptions(next));
    this.#pushRoute.reconfigure(this.#pushRouteOptions(next));
    this.#placement.reconfigure(placementOptions(next));
    this.#membership.reconfigure(membershipOptions(next));
  }

  #createHandler() {
    const members = () => this.#membership.current;
    const utf8Names = () => this.#reloader.config.pushgateway.enableUtf8Names;
    const choose: ChooseCopy = (id, copies) => this.#placement.chooseCopy(id, copies);
    const api = new StatusApi({ members, utf8Names, holdings: this.#memberHoldings() });
    const reload = async () => {
      const result = await this.reload();
      return result.ok ? undefined : result.error;
    };
    const metrics: Route = (exchange) => {
      exchange.respond(200, ["Content-Type", this.#metrics.contentType], this.#metrics.render());
    };
    return createWebHandler({
      push: this.#pushRoute,
      lookup: api.lookup,
      fixed: {
        ...managementRoutes({
          isReady: () => members() !== undefined,
          reload: this.#options.enableLifecycle ? reload : undefined,
        }),
        "/metrics": { GET: metrics },
        "/federate": {
          GET: federateRoute({
            members,
            judge: {
              choose,
              questioned: () => this.#placement.groupsInQuestion(),
              localTime: (address, pushTime) => this.#placement.localTime(address, pushTime),
            },
            slices: this.#slices,
            observer: this.#metrics,
            log: this.#options.log,
          }),
        },
        "/sd/pushgateways": { GET: httpSdRoute(members) },
        "/api/v1/members": { GET: api.members },
        "/api/v1/owner": { GET: api.owner },
        ...clusterRoutes({
          members,
          utf8Names,
          listings: this.#listings,
          choose,
          isDoubtful: (id, address) => this.#placement.isDoubtful(id, address),
          slices: this.#slices,
          router: { version: this.#options.version, startTimeSeconds: this.#options.process.startTimeSeconds },
          deleteGroups: (ids, seen) => this.#placement.deleteGroups(ids, seen, this.#stopped.signal),
          evacuate: (address) => this.#placement.evacuate(address),
          onWiped: (time, unreachable) => this.#onWiped(time, unreachable),
          log: this.#options.log,
        }),
      },
      metrics: this.#metrics,
      onError: (error) => this.#options.log.error("Cannot answer a request; please report this", { err: error }),
    });
  }

  #onWiped(time: number, unreachable: readonly string[]): void {
    this.#placement.wiped(unreachable, time);
    // Only a member that was out is cleaned, and an outage can be too short for the health checks.
    for (const address of unreachable) this.#membership.reportUnreachable(address, "could not be wiped");
  }

  /** Of the last audit, or of a listing that somebody asked for, where none has been yet. */
  #memberHoldings(): MemberHoldings {
    return {
      groups: (address) => this.#placement.groupsOn(address) ?? this.#listings.held(address),
      misplaced: () => this.#placement.misplacedByMember(),
    };
  }

  #onMembersChanged(next: MemberSet, previous: MemberSet | undefined): void {
    const addresses = new Set(next.members.map(({ address }) => address));
    for (const { address } of previous?.members ?? []) {
      if (!addresses.has(address)) this.#metrics.forgetMember(address);
    }
    this.#clients.retain(addresses);
    this.#placement.membersChanged(next, previous);
  }

  #metricSources() {
    return {
      members: () => countByState(this.#membership.current),
      isMember: (address: string) => this.#membership.current?.has(address) ?? false,
      ringFingerprint: () => this.#membership.current?.fingerprint ?? 0,
      panic: () => this.#membership.current?.panic ?? false,
      inFlight: () => this.#clients.inFlight(),
      clientConnections: () => this.#server.connectionCount,
      misplacedGroups: () => this.#placement.misplacedGroups,
      forgottenGroups: () => this.#placement.forgottenGroups,
    };
  }

  #clientOptions({ limits, healthCheck }: Config): PushgatewayClientOptions {
    return {
      maxInFlight: limits.maxInFlightPerMember,
      maxQueued: limits.maxQueuedPerMember,
      stallTimeoutMs: limits.stallTimeoutMs,
      probePath: healthCheck.path,
      // A push that waits for the probe must have time left to try another member.
      probeTimeoutMs: Math.min(healthCheck.timeoutMs, limits.stallTimeoutMs),
      onUnreachable: (address, detail, isSilent) => this.#membership.reportUnreachable(address, detail, isSilent),
    };
  }

  #pushRouteOptions({ routing, limits, pushgateway }: Config): PushRouteOptions {
    return {
      mode: routing.mode,
      utf8Names: pushgateway.enableUtf8Names,
      maxBufferedBodyBytes: limits.maxBufferedBodyBytes,
      maxBufferedTotalBytes: limits.maxBufferedTotalBytes,
      requestTimeoutMs: limits.requestTimeoutMs,
      viaName: this.#viaName,
    };
  }
}

function membershipOptions({ pushgateway, consul, healthCheck }: Config): MembershipOptions {
  const { servers, draining } = pushgateway;
  return { servers, draining, consul, healthCheck };
}

/** What a router takes to clean a member of the groups that it knows to be gone. */
const CLEANED_MS = 1_000;

function placementOptions({ pushgateway, groups, healthCheck }: Config): PlacementOptions {
  const ttl = groups.ttl.map(({ match, afterMs }) => ({
    matches: (key: GroupingKey) => selectsGroup(match, key),
    afterMs,
  }));
  const { auditIntervalMs, cleanUpRate } = groups;
  const noticeMs = longestCheckDelayMs(healthCheck.intervalMs) + CLEANED_MS;
  return { auditIntervalMs, cleanUpRate, ttl, noticeMs, utf8Names: pushgateway.enableUtf8Names };
}

function serverLimits({ limits }: Config): HttpServerLimits {
  return limits;
}

const NO_MEMBERS = { joining: 0, active: 0, draining: 0, down: 0 };

function countByState(set: MemberSet | undefined): Readonly<Record<string, number>> {
  const counts: Record<string, number> = { ...NO_MEMBERS };
  for (const { state } of set?.members ?? []) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
