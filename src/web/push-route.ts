import type { HeaderFields } from "../http/header-fields.ts";
import type { BodyReceiver, HttpExchange } from "../http/server-exchange.ts";
import type { Logger } from "../log.ts";
import type { MemberSet } from "../membership/member-set.ts";
import type { PushMode, PushOutcome, RouterMetrics } from "../metrics.ts";
import type { PushgatewayClients } from "../pushgateway/pushgateway-clients.ts";
import { type GroupId, groupIdOf } from "../sharding/group-id.ts";
import { type GroupingKey, PushPathError, parsePushPath } from "../sharding/grouping-key.ts";
import { BodyBudget } from "./body-budget.ts";
import {
  abortOutcome,
  ProxiedPush,
  type ProxyContext,
  type ProxySettings,
  type PushPlacement,
} from "./proxied-push.ts";
import { PushOwners } from "./push-owners.ts";
import { pushUrl, type RoutingMode, shouldRedirect } from "./redirect.ts";

export interface PushRouteOptions extends ProxySettings {
  readonly mode: RoutingMode;
  /** Must equal the Pushgateways' own --push.enable-utf8-names. */
  readonly utf8Names: boolean;
  /** Name of this router in Via, unlike any other's: a push that already bears it is going in circles. */
  readonly viaName: string;
  readonly maxBufferedTotalBytes: number;
}

export interface PushRouteSurroundings {
  readonly members: () => MemberSet | undefined;
  /** Waits for the first member set. */
  readonly whenReady: (signal: AbortSignal) => Promise<MemberSet>;
  readonly clients: PushgatewayClients;
  readonly placement: PushPlacement;
  readonly metrics: RouterMetrics;
  readonly log: Logger;
}

/** How often pushes past their deadline are looked for. */
const DEADLINE_SWEEP_MS = 100;
/** Of a longer body, no more is read before the redirect goes out. */
const MAX_AWAITED_BODY_BYTES = 65_536;

/** PUT, POST and DELETE of a group: finds the owner by the grouping key and hands the push on. */
export class PushRoute {
  readonly #surroundings: PushRouteSurroundings;
  readonly #active = new Set<ProxiedPush>();
  readonly #sweeper: Timer;
  #options: PushRouteOptions;
  #proxy: ProxyContext;

  constructor(options: PushRouteOptions, surroundings: PushRouteSurroundings) {
    this.#surroundings = surroundings;
    this.#options = options;
    this.#proxy = this.#proxyContext(options);
    this.#sweeper = setInterval(() => {
      const now = performance.now();
      for (const push of this.#active) push.checkDeadline(now);
    }, DEADLINE_SWEEP_MS);
  }

  /** Uses other options from the next push on. */
  reconfigure(options: PushRouteOptions): void {
    this.#options = options;
    this.#proxy = this.#proxyContext(options);
  }

  /** Stops keeping deadlines. Call it when no push is under way. */
  close(): void {
    clearInterval(this.#sweeper);
  }

  /** `path`: the request target without its query. */
  handle(exchange: HttpExchange, path: string): void {
    const startedAt = performance.now();
    const { method, fields } = exchange.head;
    const mode = shouldRedirect(this.#options.mode, method, fields) ? "redirect" : "proxy";
    if (passedHere(fields, this.#options.viaName)) {
      exchange.respondText(508, LOOP_DETECTED);
      this.#done(mode, "refused", startedAt);
      return;
    }
    const key = this.#readKey(exchange, path, method !== "DELETE", () => this.#done(mode, "refused", startedAt));
    if (key === undefined) return;
    const members = this.#surroundings.members();
    const gate = mode === "proxy" ? this.#surroundings.placement.beforePush(key, method) : undefined;
    if (members === undefined || gate !== undefined) void this.#handOnLater(exchange, key, mode, startedAt, gate);
    else this.#handOn(exchange, key, mode, members, startedAt);
  }

  /** Whether a push of this group is on its way to a member, which has not answered yet. */
  isInFlight(id: GroupId): boolean {
    for (const push of this.#active) if (push.isUnanswered && groupIdOf(push.key) === id) return true;
    return false;
  }

  /** Reads the grouping key, or answers as Pushgateway would. */
  #readKey(exchange: HttpExchange, path: string, mayStore: boolean, onRefused: () => void): GroupingKey | undefined {
    try {
      const key = parsePushPath(path, { utf8Names: this.#options.utf8Names });
      if (key.validUtf8 || !mayStore) return key;
      exchange.respondText(400, INVALID_UTF8);
    } catch (error) {
      if (!(error instanceof PushPathError)) throw error;
      exchange.respondText(error.status, `${error.message}\n`);
    }
    onRefused();
    return undefined;
  }

  /** Waits for the members to be known, and for a clean-up of the group to be done. */
  async #handOnLater(
    exchange: HttpExchange,
    key: GroupingKey,
    mode: PushMode,
    startedAt: number,
    gate: Promise<void> | undefined,
  ): Promise<void> {
    const { whenReady, placement, log } = this.#surroundings;
    const timeout = AbortSignal.timeout(this.#options.requestTimeoutMs);
    const members = await whenReady(timeout).catch(() => undefined);
    // Others who waited may have closed the gate again.
    for (let wait = gate; wait !== undefined; wait = placement.whenOpen(key)) {
      if (await isOpenInTime(wait, timeout)) continue;
      exchange.respondText(503, "Not now: an older copy of the group is being removed\n", ["Retry-After", "1"]);
      this.#done(mode, "unavailable", startedAt);
      return;
    }
    if (members === undefined) {
      exchange.respondText(503, "Not ready: discovery has not reported any Pushgateway yet\n", ["Retry-After", "1"]);
      this.#done(mode, "unavailable", startedAt);
      return;
    }
    try {
      this.#handOn(exchange, key, mode, members, startedAt);
    } catch (error) {
      log.error("Cannot hand on a push; please report this", { err: error });
      exchange.abort();
    }
  }

  #handOn(exchange: HttpExchange, key: GroupingKey, mode: PushMode, members: MemberSet, startedAt: number): void {
    if (mode === "redirect") {
      this.#redirect(exchange, key, members, startedAt);
      return;
    }
    const owners = new PushOwners(this.#surroundings.members, key);
    new ProxiedPush(exchange, owners, this.#proxy, startedAt).start();
  }

  #redirect(exchange: HttpExchange, key: GroupingKey, members: MemberSet, startedAt: number): void {
    const owner = members.ownerOf(key.canonicalPath);
    const answer = () => {
      if (owner === undefined) {
        exchange.respondText(503, "No Pushgateway can take the push: no member takes pushes\n", ["Retry-After", "1"]);
      } else {
        exchange.respond(307, ["Location", pushUrl(owner.address, exchange.head.target)], "");
        this.#surroundings.placement.questioned(key);
      }
      this.#done("redirect", owner === undefined ? "unavailable" : "redirected", startedAt);
    };
    const onAbort = (reason: string) => this.#done("redirect", abortOutcome(reason, exchange), startedAt);
    // Who waits for 100 Continue is told before it sends the body, and need not send it twice.
    if (exchange.head.expectsContinue) answer();
    else exchange.receiveBody(new DiscardedBody(answer, onAbort));
  }

  #done(mode: PushMode, outcome: PushOutcome, startedAt: number): void {
    this.#surroundings.metrics.pushDone(mode, outcome, (performance.now() - startedAt) / 1000);
  }

  #proxyContext(options: PushRouteOptions): ProxyContext {
    const { log, metrics, clients, placement } = this.#surroundings;
    return {
      settings: options,
      placement,
      viaLine: `Via: 1.1 ${options.viaName}\r\n`,
      clients,
      metrics,
      active: this.#active,
      budget: new BodyBudget(options.maxBufferedTotalBytes),
      onDone: (push, outcome, detail) => {
        this.#done("proxy", outcome, push.startedAt);
        if (!log.debugEnabled) return;
        const { method, target } = push.exchange.head;
        log.debug("Handed on a push", { method, target, owner: push.owner, outcome, detail });
      },
    };
  }
}

const INVALID_UTF8 =
  "Cannot push: the grouping key is not valid UTF-8. Pushgateway would reject this push and every later one. " +
  "Encode the value in UTF-8\n";

const LOOP_DETECTED =
  "Loop detected: this push has passed through this router before. Is the router's own address among pushgateway.servers?\n";

async function isOpenInTime(gate: Promise<void>, timeout: AbortSignal): Promise<boolean> {
  const timedOut = Promise.withResolvers<false>();
  timeout.addEventListener("abort", () => timedOut.resolve(false), { once: true });
  return await Promise.race([gate.then(() => true), timedOut.promise]);
}

/** Whether a Via header names this router (RFC 9110 §7.6.3). */
function passedHere(fields: HeaderFields, viaName: string): boolean {
  if (fields.get("via") === undefined) return false;
  return [...fields.values("via")].some((value) => value.includes(viaName));
}

/** Reads away a body before the redirect, so that the connection lives on; but not the whole of a long one. */
class DiscardedBody implements BodyReceiver {
  readonly #answer: () => void;
  readonly onAbort: (reason: string) => void;
  #bytes = 0;
  #answered = false;

  constructor(answer: () => void, onAbort: (reason: string) => void) {
    this.#answer = answer;
    this.onAbort = (reason) => {
      if (!this.#answered) onAbort(reason);
    };
  }

  onData(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_AWAITED_BODY_BYTES) this.onEnd();
  }

  onEnd(): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#answer();
  }
}
