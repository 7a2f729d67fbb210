import { describeError, type Logger } from "../../log.ts";
import type { MembershipObserver } from "../membership-observer.ts";
import { type ConsulAgentOptions, ConsulClient, ConsulError } from "./consul-client.ts";
import { ConsulRegistrar } from "./consul-registrar.ts";
import { type ConsulAnswer, ConsulWatch } from "./consul-watch.ts";
import { type Discoverer, sortedByAddress, type Target } from "./discoverer.ts";
import { Backoff, TokenBucket } from "./pacing.ts";
import { configuredTargets } from "./static-discoverer.ts";

export interface ConsulOptions extends ConsulAgentOptions {
  /** Name under which Pushgateways are registered and looked up. */
  readonly serviceName: string;
  /** Undefined: the agent's own datacenter. */
  readonly datacenter: string | undefined;
  /** Whether the configured servers are registered with the agent. */
  readonly register: boolean;
  /** Undefined: Consul never removes a server by itself. */
  readonly deregisterCriticalServiceAfterMs: number | undefined;
  readonly pacing?: Partial<ConsulPacing>;
}

export interface ConsulPacing {
  /** How long a query waits for a change. Short enough for dead network paths to be noticed. */
  readonly waitMs: number;
  /** Deadline of a call that need not wait, and what a waiting one gets on top. */
  readonly requestTimeoutMs: number;
  /** How long the first report waits for Consul, before it falls back to the configured servers. */
  readonly fallbackAfterMs: number;
  /** Bounds of the pause after a failure; it doubles from one to the other. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** So many queries may follow each other at once, then one for each `refillMs`. */
  readonly burst: number;
  readonly refillMs: number;
}

const DEFAULT_PACING: ConsulPacing = {
  waitMs: 55_000,
  requestTimeoutMs: 10_000,
  fallbackAfterMs: 3_000,
  retryMinMs: 500,
  retryMaxMs: 15_000,
  burst: 8,
  refillMs: 1_000,
};

/** What the configuration says besides Consul, and what is known from before a reload. */
export interface ConsulScope {
  readonly servers: readonly string[];
  readonly draining: readonly string[];
  /** Targets of the same service known before. Used until Consul can be asked. */
  readonly known: readonly Target[];
  /** Servers that the configuration no longer has. */
  readonly removed: readonly string[];
  readonly healthCheck: { readonly path: string; readonly intervalMs: number; readonly timeoutMs: number };
}

export interface ConsulSurroundings {
  readonly log: Logger;
  readonly observer: MembershipObserver;
}

/**
 * Finds the Pushgateways that are registered in Consul, and registers the configured ones there first.
 *
 * The configured servers are targets also while Consul does not list them yet, or cannot be asked at all; only an
 * operator's deregistration takes them out. While Consul cannot be asked, or has no leader, the last set stays and its
 * health is unknown. An empty set never replaces one that is not: it comes from a wrong name, or from a token that may
 * not see, far more often than from an empty catalogue.
 */
export class ConsulDiscoverer implements Discoverer {
  readonly mechanism = "consul";
  readonly #options: ConsulOptions;
  readonly #scope: ConsulScope;
  readonly #pacing: ConsulPacing;
  readonly #log: Logger;
  readonly #observer: MembershipObserver;
  readonly #watch: ConsulWatch;
  readonly #registrar: ConsulRegistrar | undefined;
  readonly #backoff: Backoff;
  #report: (targets: readonly Target[]) => void = () => {};
  #hasReported = false;
  /** What was reported last, by this discoverer or by the one before the reload. */
  #last: readonly Target[];
  #isBlind = false;
  /** What each warning said last. */
  readonly #warned = new Map<string, string>();

  constructor(options: ConsulOptions, scope: ConsulScope, { log, observer }: ConsulSurroundings) {
    const pacing = { ...DEFAULT_PACING, ...options.pacing };
    const { serviceName, datacenter } = options;
    const { requestTimeoutMs } = pacing;
    const client = new ConsulClient(options);
    this.#options = options;
    this.#scope = scope;
    this.#pacing = pacing;
    this.#log = log;
    this.#observer = observer;
    this.#watch = new ConsulWatch(client, { serviceName, datacenter, requestTimeoutMs });
    this.#backoff = new Backoff(pacing.retryMinMs, pacing.retryMaxMs);
    this.#last = scope.known;
    this.#registrar = options.register ? createRegistrar(client, options, scope, pacing, log) : undefined;
  }

  async run(report: (targets: readonly Target[]) => void, signal: AbortSignal): Promise<void> {
    this.#report = (targets) => {
      if (!signal.aborted) report(targets);
    };
    const fallback = setTimeout(() => {
      if (!this.#hasReported) this.#reportUnverified();
    }, this.#pacing.fallbackAfterMs);
    const bucket = new TokenBucket(this.#pacing.burst, this.#pacing.refillMs);
    while (!signal.aborted) {
      try {
        await this.#refresh(signal);
        await bucket.take(signal);
      } catch (error) {
        if (signal.aborted) break;
        this.#loseSight(error);
        await this.#backoff.wait(signal).catch(() => {});
      }
    }
    clearTimeout(fallback);
  }

  /** Registers what is to be registered, waits for Consul's next answer and reports it. Throws when it is of no use. */
  async #refresh(signal: AbortSignal): Promise<void> {
    const registrar = this.#registrar;
    if (registrar?.hasWork) await this.#reconcile(registrar, signal);
    // A registration that did not succeed is tried again after the wait.
    const waitMs = registrar?.hasWork ? Math.min(this.#pacing.retryMaxMs, this.#pacing.waitMs) : this.#pacing.waitMs;
    const answer = await this.#watch.next(waitMs, signal);
    if (answer.wentBackwards) registrar?.suspectLoss();
    // Before the answer is used: a server that it lacks may wait for its registration, or have been taken out.
    if (answer.isChanged && registrar !== undefined) await this.#reconcile(registrar, signal);
    this.#accept(answer);
  }

  /** An agent that refuses to register can still be asked. One that cannot be reached can not: that is thrown. */
  async #reconcile(registrar: ConsulRegistrar, signal: AbortSignal): Promise<void> {
    try {
      await registrar.reconcile(signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof ConsulError) || error.isUnreachable) throw error;
      this.#warnOnce("Servers are not registered in Consul, our own checks watch over them", error);
    }
  }

  #accept({ targets, isFiltered }: ConsulAnswer): void {
    if (isFiltered) {
      this.#warnOnce("Consul hides services from this token: grant it service:read and node:read");
    }
    // What was registered a moment ago takes a moment to be listed.
    const mayBeEmpty = this.#registrar !== undefined && this.#last.length === 0;
    if (targets.length === 0 && !mayBeEmpty) {
      const { serviceName } = this.#options;
      throw new ConsulError(`Consul lists no service "${serviceName}", or hides it from this token`, false);
    }
    this.#backoff.reset();
    this.#observer.refreshSucceeded(this.mechanism);
    if (this.#isBlind) {
      this.#isBlind = false;
      this.#warned.clear();
      this.#log.info("Consul answers again", { mechanism: this.mechanism });
    }
    this.#deliver(this.#completed(targets));
  }

  #loseSight(error: unknown): void {
    this.#observer.refreshFailed(this.mechanism);
    if (!(error instanceof ConsulError) || error.isUnreachable) this.#registrar?.suspectLoss();
    this.#warnOnce("Cannot refresh from Consul, so the last set stays and our own checks watch over it", error);
    if (!this.#isBlind) this.#reportUnverified();
    this.#isBlind = true;
  }

  #reportUnverified(): void {
    this.#deliver(this.#completed(this.#last).map((target) => ({ ...target, health: "unknown" })));
  }

  #deliver(targets: readonly Target[]): void {
    if (targets.length === 0) return;
    this.#hasReported = true;
    this.#last = targets;
    this.#report(targets);
  }

  /** What Consul lists, with what the configuration adds to it. */
  #completed(found: readonly Target[]): readonly Target[] {
    const { servers, draining } = this.#scope;
    const listed = new Map(found.map((target) => [target.address, target]));
    // Where nothing is registered, the configured servers only stand in for a Consul that has not answered yet.
    const isConsulAlone = this.#registrar === undefined && found.length > 0;
    for (const target of configuredTargets(isConsulAlone ? [] : servers, draining)) {
      if (listed.has(target.address) || this.#registrar?.isWithdrawn(target.address)) continue;
      listed.set(target.address, target);
    }
    for (const target of configuredTargets(draining, draining)) {
      const known = listed.get(target.address);
      if (known !== undefined) listed.set(target.address, { ...known, draining: true, reason: target.reason });
    }
    return sortedByAddress(listed.values());
  }

  /** Trouble that lasts is told once, not at every attempt. */
  #warnOnce(message: string, error?: unknown): void {
    const cause = error === undefined ? "" : describeError(error);
    const isKnown = this.#warned.get(message) === cause;
    this.#warned.set(message, cause);
    const fields = { mechanism: this.mechanism, err: error };
    if (isKnown) this.#log.debug(message, fields);
    else this.#log.warn(message, fields);
  }
}

function createRegistrar(
  client: ConsulClient,
  options: ConsulOptions,
  scope: ConsulScope,
  pacing: ConsulPacing,
  log: Logger,
): ConsulRegistrar {
  const { serviceName, deregisterCriticalServiceAfterMs } = options;
  const { servers, removed, healthCheck } = scope;
  const { requestTimeoutMs, retryMaxMs } = pacing;
  return new ConsulRegistrar(
    client,
    {
      serviceName,
      servers,
      removed,
      healthCheck,
      deregisterCriticalServiceAfterMs,
      requestTimeoutMs,
      retryMs: retryMaxMs,
    },
    log,
  );
}
