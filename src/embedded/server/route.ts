import type { HttpExchange } from "../../http/server-exchange.ts";

/** Answers a request. Throws, or rejects, only by mistake. */
export type Answer = (exchange: HttpExchange, query: string) => void | Promise<void>;

export interface Route {
  /** How `pushgateway_http_requests_total` calls it; undefined for what is not counted there. */
  readonly handler: string | undefined;
  readonly answer: Answer;
}

/** Routes with a fixed path, by path without the route prefix, and by method. GET does not serve HEAD. */
export type RouteTable = Readonly<Record<string, Readonly<Record<string, Route>>>>;
