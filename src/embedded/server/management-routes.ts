import type { HttpExchange } from "../../http/server-exchange.ts";
import type { Route, RouteTable } from "./route.ts";

export interface ManagementOptions {
  /** Begins with a slash and ends with none; empty for none. */
  readonly routePrefix: string;
  /** Ends the server after the answer; undefined: the lifecycle API is off. */
  readonly quit: (() => void) | undefined;
}

/** /-/healthy, /-/ready and /-/quit. */
export function managementRoutes({ routePrefix, quit }: ManagementOptions): RouteTable {
  const quitRoute: Route = { handler: undefined, answer: (exchange) => answerQuit(exchange, quit) };
  const hint: Route = {
    handler: undefined,
    answer: (exchange) => exchange.respondText(405, "Only POST or PUT requests allowed."),
  };
  return {
    "/-/healthy": { GET: { handler: "healthy", answer: (exchange) => exchange.respondText(200, "OK") } },
    "/-/ready": { GET: { handler: "ready", answer: (exchange) => exchange.respondText(200, "OK") } },
    // Pushgateway gives this hint at the path without prefix only.
    "/-/quit": { PUT: quitRoute, POST: quitRoute, ...(routePrefix === "" ? { GET: hint } : {}) },
  };
}

function answerQuit(exchange: HttpExchange, quit: (() => void) | undefined): void {
  if (quit === undefined) {
    exchange.respondText(403, "Lifecycle API is not enabled.");
    return;
  }
  exchange.respondText(200, "Requesting termination... Goodbye!");
  quit();
}
