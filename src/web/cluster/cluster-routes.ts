import type { HttpExchange } from "../../http/server-exchange.ts";
import type { Logger } from "../../log.ts";
import { API_HEADERS } from "../json-answer.ts";
import type { Route } from "../web-handler.ts";
import type { ClusterParts } from "./cluster-parts.ts";
import { type Evacuate, evacuationRoute } from "./evacuation-route.ts";
import { type DeleteGroups, groupDeletionRoute } from "./group-deletion-route.ts";
import { groupsRoute } from "./groups-route.ts";
import { mergedMetricsRoute } from "./merged-metrics-route.ts";
import { planRoute } from "./plan-route.ts";
import { clusterStatusRoute, type RouterFacts } from "./status-route.ts";
import { type OnWiped, wipeRoute } from "./wipe-route.ts";

export interface ClusterRoutesOptions extends ClusterParts {
  readonly router: RouterFacts;
  readonly deleteGroups: DeleteGroups;
  readonly evacuate: Evacuate;
  readonly onWiped: OnWiped;
  readonly log: Logger;
}

/** Pushgateway's API over all members, and our own about groups and members. */
export function clusterRoutes(options: ClusterRoutesOptions): Record<string, Record<string, Route>> {
  return {
    "/api/v1/metrics": { GET: mergedMetricsRoute(options), OPTIONS: allowAllOrigins },
    "/api/v1/status": { GET: clusterStatusRoute(options, options.router), OPTIONS: allowAllOrigins },
    "/api/v1/admin/wipe": { PUT: wipeRoute(options) },
    "/api/v1/groups": { GET: groupsRoute(options), DELETE: groupDeletionRoute(options, options.deleteGroups) },
    "/api/v1/plan": { GET: planRoute(options) },
    "/api/v1/members/evacuate": { POST: evacuationRoute(options, options.evacuate) },
  };
}

/** Browsers ask before they read from another origin. */
function allowAllOrigins(exchange: HttpExchange): void {
  exchange.respond(200, ["Allow", "GET, HEAD, OPTIONS", ...API_HEADERS], "");
}
