import type { HttpExchange } from "../http/server-exchange.ts";
import type { RouterMetrics } from "../metrics.ts";
import { isPushPath } from "../sharding/grouping-key.ts";

/** Answers a request. Throws, or rejects, only by mistake. */
export type Route = (exchange: HttpExchange, query: string) => void | Promise<void>;

export interface WebHandlerParts {
  /** Takes PUT, POST and DELETE under /metrics/job. */
  readonly push: { handle(exchange: HttpExchange, path: string): void };
  /** Takes GET under /metrics/job. Returns the status that it answered. */
  readonly lookup: (exchange: HttpExchange, path: string) => number;
  /** Routes with a fixed path, by path and method. GET serves HEAD as well. */
  readonly fixed: Readonly<Record<string, Readonly<Record<string, Route>>>>;
  readonly metrics: RouterMetrics;
  readonly onError: (error: unknown) => void;
}

const PUSH_METHODS = "DELETE, GET, HEAD, OPTIONS, POST, PUT";

/** Makes the function that answers every request of the router: pushes first, then the routes with a fixed path. */
export function createWebHandler(parts: WebHandlerParts): (exchange: HttpExchange) => void {
  return (exchange) => {
    const { target } = exchange.head;
    const queryStart = target.indexOf("?");
    const path = queryStart === -1 ? target : target.slice(0, queryStart);
    if (isPushPath(path)) {
      handleGroup(parts, exchange, path);
      return;
    }
    const query = queryStart === -1 ? "" : target.slice(queryStart + 1);
    handleFixed(parts, exchange, path, query);
  };
}

function handleGroup({ push, lookup, metrics }: WebHandlerParts, exchange: HttpExchange, path: string): void {
  switch (exchange.head.method) {
    case "PUT":
    case "POST":
    case "DELETE":
      push.handle(exchange, path);
      break;
    case "GET":
    case "HEAD":
      metrics.requestDone("lookup", lookup(exchange, path));
      break;
    default:
      metrics.requestDone("push", refuseMethod(exchange, PUSH_METHODS));
  }
}

function handleFixed(parts: WebHandlerParts, exchange: HttpExchange, path: string, query: string): void {
  const methods = Object.hasOwn(parts.fixed, path) ? parts.fixed[path] : undefined;
  if (methods === undefined) {
    exchange.respondText(404, "404 page not found. Push to /metrics/job/<job>\n");
    parts.metrics.requestDone("none", 404);
    return;
  }
  const method = exchange.head.method === "HEAD" ? "GET" : exchange.head.method;
  const route = Object.hasOwn(methods, method) ? methods[method] : undefined;
  if (route === undefined) parts.metrics.requestDone(path, refuseMethod(exchange, allowedMethods(methods)));
  else void run(route, exchange, query, path, parts);
}

async function run(
  route: Route,
  exchange: HttpExchange,
  query: string,
  path: string,
  parts: WebHandlerParts,
): Promise<void> {
  try {
    await route(exchange, query);
  } catch (error) {
    parts.onError(error);
    exchange.fail("Internal error, see the router's log\n");
  }
  parts.metrics.requestDone(path, exchange.status);
}

function allowedMethods(methods: Readonly<Record<string, Route>>): string {
  const names = new Set(Object.keys(methods)).add("OPTIONS");
  if (names.has("GET")) names.add("HEAD");
  return [...names].sort().join(", ");
}

/** Answers OPTIONS, and refuses any other method, by naming those that are allowed (RFC 9110 §15.5.6). Returns the status. */
function refuseMethod(exchange: HttpExchange, allow: string): number {
  const isOptions = exchange.head.method === "OPTIONS";
  if (isOptions) exchange.respond(200, ["Allow", allow], "");
  else exchange.respondText(405, "Method Not Allowed\n", ["Allow", allow]);
  return isOptions ? 200 : 405;
}
