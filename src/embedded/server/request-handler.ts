import type { HttpExchange } from "../../http/server-exchange.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import { PushPathError } from "../../sharding/grouping-key.ts";
import { API_HEADERS } from "./api-headers.ts";
import { cleanPath, decodePath, escapePath } from "./go-path.ts";
import type { PushRoute } from "./push-route.ts";
import type { PushgatewayMetrics } from "./pushgateway-metrics.ts";
import type { Route, RouteTable } from "./route.ts";

export interface RequestHandlerParts {
  /** Begins with a slash and ends with none; empty for none. */
  readonly routePrefix: string;
  readonly push: PushRoute;
  readonly fixed: RouteTable;
  readonly metrics: PushgatewayMetrics;
  readonly onError: (error: unknown) => void;
}

const PUSH_METHODS = ["DELETE", "POST", "PUT"];
const PUSH_PREFIXES = ["/metrics/job/", "/metrics/job@base64/"];

/**
 * Makes the function that answers every request. It chooses routes, and redirects, as the routers of Pushgateway do: Go's
 * ServeMux, which cleans paths, and behind it one that minds the method, and mends case and a slash at the end.
 */
export function createRequestHandler(parts: RequestHandlerParts): (exchange: HttpExchange) => void {
  const handler = new RequestHandler(parts);
  return (exchange) => handler.handle(exchange);
}

class RequestHandler {
  readonly #parts: RequestHandlerParts;
  readonly #fixed: ReadonlyMap<string, Readonly<Record<string, Route>>>;
  readonly #pushPrefixes: readonly string[];

  constructor(parts: RequestHandlerParts) {
    const { routePrefix, fixed } = parts;
    this.#parts = parts;
    this.#fixed = new Map(Object.entries(fixed).map(([path, methods]) => [routePrefix + path, methods]));
    this.#pushPrefixes = PUSH_PREFIXES.map((prefix) => routePrefix + prefix);
  }

  handle(exchange: HttpExchange): void {
    const { target } = exchange.head;
    const queryStart = target.indexOf("?");
    const path = queryStart === -1 ? target : target.slice(0, queryStart);
    if (this.#isPush(exchange, path) && this.#push(exchange, path)) return;
    this.#handleDecoded(exchange, path, queryStart === -1 ? "" : target.slice(queryStart + 1));
  }

  /** Whether `path`, decoded or as it came, names a group and the method changes one. */
  #isPush(exchange: HttpExchange, path: ByteString): boolean {
    return PUSH_METHODS.includes(exchange.head.method) && this.#isGroupPath(path);
  }

  #isGroupPath(path: ByteString): boolean {
    return this.#pushPrefixes.some((prefix) => path.length > prefix.length && path.startsWith(prefix));
  }

  /** Returns whether the path names a group. One that does not may be redirected. */
  #push(exchange: HttpExchange, path: ByteString): boolean {
    try {
      this.#parts.push.handle(exchange, path.slice(this.#parts.routePrefix.length));
      return true;
    } catch (error) {
      if (error instanceof PushPathError) return false;
      throw error;
    }
  }

  #handleDecoded(exchange: HttpExchange, path: ByteString, query: string): void {
    const decoded = decodePath(path);
    if (decoded === undefined) {
      if (path === "*") exchange.respond(200, [], "");
      else exchange.respondText(400, "400 Bad Request");
      return;
    }
    const cleaned = cleanPath(decoded);
    if (cleaned !== decoded) redirect(exchange, 301, cleaned, query);
    else if (this.#isPush(exchange, decoded)) this.#pushDecoded(exchange, decoded);
    else this.#handleFixed(exchange, decoded, query);
  }

  #handleFixed(exchange: HttpExchange, decoded: ByteString, query: string): void {
    const { method } = exchange.head;
    const methods = this.#fixed.get(decoded);
    const route = methods !== undefined && Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (route === undefined) this.#handleUnknown(exchange, decoded, query);
    else void this.#run(route, exchange, query);
  }

  #pushDecoded(exchange: HttpExchange, decoded: ByteString): void {
    const { push, routePrefix } = this.#parts;
    try {
      push.handle(exchange, escapePath(decoded.slice(routePrefix.length)));
    } catch (error) {
      if (!(error instanceof PushPathError)) throw error;
      push.refuse(exchange, error);
    }
  }

  #handleUnknown(exchange: HttpExchange, decoded: ByteString, query: string): void {
    const { method } = exchange.head;
    const mended = this.#mend(method, decoded);
    const allowed = this.#allowedMethods(decoded);
    if (mended !== undefined) redirect(exchange, method === "GET" ? 301 : 307, mended, query);
    else if (method === "OPTIONS" && decoded.startsWith(`${this.#parts.routePrefix}/api/v1/`)) {
      exchange.respond(200, API_HEADERS, "");
      this.#parts.metrics.requestDone("api/v1/options", method, 200);
    } else if (allowed === undefined) exchange.respondText(404, "404 page not found\n");
    else if (method === "OPTIONS") exchange.respond(200, ["Allow", allowed], "");
    else exchange.respondText(405, "Method Not Allowed\n", ["Allow", allowed]);
  }

  /** The path of a route of this method that differs in case or by a slash at the end. */
  #mend(method: string, decoded: ByteString): ByteString | undefined {
    for (const [path, methods] of this.#fixed) {
      if (Object.hasOwn(methods, method) && fold(path) === fold(decoded)) return path;
    }
    if (!PUSH_METHODS.includes(method)) return undefined;
    const [jobPrefix = ""] = this.#pushPrefixes;
    if (fold(decoded) === fold(jobPrefix)) return decoded === jobPrefix ? jobPrefix.slice(0, -1) : undefined;
    const prefix = this.#pushPrefixes.find((candidate) => decoded.toLowerCase().startsWith(candidate.toLowerCase()));
    return prefix === undefined || decoded.length === prefix.length ? undefined : prefix + decoded.slice(prefix.length);
  }

  #allowedMethods(decoded: ByteString): string | undefined {
    const methods = this.#fixed.get(decoded);
    const names = methods === undefined ? [] : Object.keys(methods);
    if (this.#isGroupPath(decoded)) names.push(...PUSH_METHODS);
    return names.length === 0 ? undefined : [...names, "OPTIONS"].sort().join(", ");
  }

  async #run({ handler, answer }: Route, exchange: HttpExchange, query: string): Promise<void> {
    try {
      await answer(exchange, query);
    } catch (error) {
      this.#parts.onError(error);
      exchange.fail("Internal error, see the log\n");
    }
    if (handler !== undefined) this.#parts.metrics.requestDone(handler, exchange.head.method, exchange.status);
  }
}

function fold(path: ByteString): string {
  return path.toLowerCase().replace(/\/$/, "");
}

const REASONS = { 301: "Moved Permanently", 307: "Temporary Redirect" } as const;

function redirect(exchange: HttpExchange, status: 301 | 307, decodedPath: ByteString, query: string): void {
  const escapedQuery = query.replaceAll(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  const location = escapePath(decodedPath) + (query === "" ? "" : `?${escapedQuery}`);
  if (exchange.head.method !== "GET") {
    exchange.respond(status, ["Location", location], "");
    return;
  }
  const body = `<a href="${Bun.escapeHTML(location)}">${REASONS[status]}</a>.\n\n`;
  exchange.respond(status, ["Content-Type", "text/html; charset=utf-8", "Location", location], body);
}
