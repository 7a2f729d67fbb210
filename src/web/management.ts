import type { HttpExchange } from "../http/server-exchange.ts";
import type { Route } from "./web-handler.ts";

export interface ManagementOptions {
  readonly isReady: () => boolean;
  /** Reads the configuration anew; resolves with what went wrong, if anything. Undefined: the lifecycle API is off. */
  readonly reload: (() => Promise<Error | undefined>) | undefined;
}

/** Prometheus' management API: /-/healthy, /-/ready and /-/reload. */
export function managementRoutes(options: ManagementOptions): Record<string, Record<string, Route>> {
  const reload: Route = (exchange) => answerReload(exchange, options.reload);
  return {
    "/-/healthy": { GET: (exchange) => exchange.respondText(200, "dynamic-sharding is healthy.\n") },
    "/-/ready": {
      GET: (exchange) => {
        if (options.isReady()) exchange.respondText(200, "dynamic-sharding is ready.\n");
        else
          exchange.respondText(503, "Not ready: discovery has not reported any Pushgateway yet\n", [
            "Retry-After",
            "1",
          ]);
      },
    },
    "/-/reload": { PUT: reload, POST: reload },
    // The ping of the Go program, for the load balancers that still send it.
    "/test/v1": { GET: (exchange) => exchange.respondText(200, "dynamic-sharding is up\n") },
  };
}

async function answerReload(exchange: HttpExchange, reload: ManagementOptions["reload"]): Promise<void> {
  if (reload === undefined) {
    exchange.respondText(403, "Lifecycle API is not enabled: start with --web.enable-lifecycle\n");
    return;
  }
  const error = await reload();
  if (error === undefined) exchange.respondText(200, "Configuration reloaded\n");
  else
    exchange.respondText(500, `Cannot reload the configuration, the running one stays in place:\n${error.message}\n`);
}
