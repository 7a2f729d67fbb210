import type { MetricFamily } from "../../exposition/model.ts";
import type { HttpExchange } from "../../http/server-exchange.ts";
import type { Logger } from "../../log.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import { type GroupingKey, type PushPathError, parsePushPath } from "../../sharding/grouping-key.ts";
import { type GroupStore, PushRejectedError } from "../group-store.ts";
import { type Durable, NOT_DURABLE, whenDurable } from "./durable.ts";
import { type BodyLimits, type FamiliesReceiver, receiveFamilies } from "./push-body.ts";
import type { PushgatewayMetrics } from "./pushgateway-metrics.ts";

export interface PushRouteOptions {
  /** --push.enable-utf8-names */
  readonly utf8Names: boolean;
  /** False for --push.disable-consistency-check: pushes that do not fit are dropped and nobody is told. */
  readonly reportsInconsistency: boolean;
}

export interface PushRouteParts {
  readonly store: GroupStore;
  readonly limits: BodyLimits;
  readonly metrics: PushgatewayMetrics;
  readonly log: Logger;
  readonly durable: Durable | undefined;
  readonly onError: (error: unknown) => void;
}

/** Text before the reason why a push does not fit, in Pushgateway's words. */
const REJECTED = "pushed metrics are invalid or inconsistent with existing metrics: ";

/** PUT, POST and DELETE of a group, with the statuses and texts of Pushgateway. */
export class PushRoute {
  readonly #options: PushRouteOptions;
  readonly #parts: PushRouteParts;

  constructor(options: PushRouteOptions, parts: PushRouteParts) {
    this.#options = options;
    this.#parts = parts;
  }

  /**
   * Handles a PUT, POST or DELETE. `path` is that of the request without the route prefix.
   *
   * @throws PushPathError and has answered nothing then.
   */
  handle(exchange: HttpExchange, path: ByteString): void {
    const key = parsePushPath(path, this.#options);
    if (exchange.head.method === "DELETE") this.#delete(exchange, key);
    else receiveFamilies(exchange, this.#parts.limits, new Push(exchange, key, this.#options, this.#parts));
  }

  /** Answers a push whose path names no group. */
  refuse(exchange: HttpExchange, error: PushPathError): void {
    const { metrics } = this.#parts;
    const { method } = exchange.head;
    exchange.respondText(error.status, `${error.message}\n`);
    metrics.requestDone(method === "DELETE" ? "delete" : "push", method, error.status);
    if (method !== "DELETE") metrics.pushDone(method === "PUT" ? "put" : "post", performance.now(), 0);
  }

  #delete(exchange: HttpExchange, key: GroupingKey): void {
    const { store, metrics, durable } = this.#parts;
    store.delete(key);
    whenDurable(durable, (isDurable) => {
      if (isDurable) exchange.respond(202, [], "");
      else exchange.respondText(500, `${NOT_DURABLE}\n`);
      metrics.requestDone("delete", "DELETE", isDurable ? 202 : 500);
    });
  }
}

/** One PUT or POST. */
class Push implements FamiliesReceiver {
  readonly #exchange: HttpExchange;
  readonly #key: GroupingKey;
  readonly #options: PushRouteOptions;
  readonly #parts: PushRouteParts;
  readonly #startedAt = performance.now();
  #bodyBytes = 0;

  constructor(exchange: HttpExchange, key: GroupingKey, options: PushRouteOptions, parts: PushRouteParts) {
    this.#exchange = exchange;
    this.#key = key;
    this.#options = options;
    this.#parts = parts;
  }

  onFamilies(families: readonly MetricFamily[], bodyBytes: number): void {
    const { store, durable } = this.#parts;
    this.#bodyBytes = bodyBytes;
    const now = Date.now() / 1000;
    if (this.#exchange.head.method === "PUT") store.replace(this.#key, families, now);
    else store.update(this.#key, families, now);
    whenDurable(durable, (isDurable) => {
      if (isDurable) this.#accept();
      else this.#refuse(500, `${NOT_DURABLE}\n`);
    });
  }

  onRefused(status: number, text: string, bodyBytes: number): void {
    this.#bodyBytes = bodyBytes;
    this.#refuse(status, `${text}\n`);
  }

  onAborted(): void {
    this.#count(this.#exchange.status || 400);
  }

  onFault(error: unknown): void {
    if (error instanceof PushRejectedError) {
      this.#reject(error);
      return;
    }
    this.#parts.onError(error);
    this.#refuse(500, "Internal error, see the log\n");
  }

  #accept(): void {
    const status = this.#options.reportsInconsistency ? 200 : 202;
    this.#exchange.respond(status, [], "");
    this.#count(status);
  }

  #reject({ message }: PushRejectedError): void {
    const { log } = this.#parts;
    if (log.debugEnabled) log.debug("Rejected a push", { client: this.#exchange.remoteAddress, reason: message });
    if (this.#options.reportsInconsistency) this.#refuse(400, `${REJECTED}${message}\n`);
    else this.#accept();
  }

  #refuse(status: number, text: string): void {
    this.#exchange.respondText(status, text, status === 503 ? ["Retry-After", "1"] : []);
    this.#count(status);
  }

  #count(status: number): void {
    const { method } = this.#exchange.head;
    this.#parts.metrics.requestDone("push", method, status);
    this.#parts.metrics.pushDone(method === "PUT" ? "put" : "post", this.#startedAt, this.#bodyBytes);
  }
}
