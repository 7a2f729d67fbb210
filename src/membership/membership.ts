import type { Logger } from "../log.ts";
import { ConsulDiscoverer, type ConsulOptions } from "./discovery/consul-discoverer.ts";
import type { Discoverer, Target } from "./discovery/discoverer.ts";
import { StaticDiscoverer } from "./discovery/static-discoverer.ts";
import { MemberSet } from "./member-set.ts";
import { logChange } from "./membership-log.ts";
import { type MembershipObserver, NOP_OBSERVER } from "./membership-observer.ts";
import { Roster } from "./roster.ts";
import type { HealthCheckOptions } from "./tracked-member.ts";

export interface MembershipOptions {
  /** `host:port` of the configured servers. May be empty where Consul knows more. */
  readonly servers: readonly string[];
  /** `host:port` of those that were asked to leave. */
  readonly draining: readonly string[];
  /** Undefined: the configured servers are all there is, and our own checks decide. */
  readonly consul: ConsulOptions | undefined;
  readonly healthCheck: HealthCheckOptions;
}

export interface MembershipSurroundings {
  readonly log: Logger;
  readonly observer?: MembershipObserver;
  /** Does whatever must be done before a member takes pushes that comes back, or comes new to others. Nothing when absent. */
  readonly prepare?: (address: string, signal: AbortSignal) => Promise<void>;
}

/**
 * Called after `current` was replaced. `previous` is undefined at the first set. Must not throw, nor report members
 * unreachable: those behind it in the list would hear of the changes in the wrong order.
 */
export type MembershipListener = (next: MemberSet, previous: MemberSet | undefined) => void;

/**
 * Which Pushgateways exist and how they are. Keeps one immutable MemberSet current: discovery says which members there
 * are, and discovery and our own checks together say in which state.
 */
export class Membership {
  readonly #log: Logger;
  readonly #observer: MembershipObserver;
  readonly #roster: Roster;
  readonly #listeners = new Set<MembershipListener>();
  readonly #ready = Promise.withResolvers<MemberSet>();
  #options: MembershipOptions;
  #current: MemberSet | undefined;
  #discovery: { readonly abort: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(
    options: MembershipOptions,
    { log, observer = NOP_OBSERVER, prepare = async () => {} }: MembershipSurroundings,
  ) {
    this.#options = options;
    this.#log = log;
    this.#observer = observer;
    const context = { healthCheck: () => this.#options.healthCheck, log, observer, prepare };
    this.#roster = new Roster(context, () => this.#publish());
    // Nobody need be waiting when stop() rejects it.
    this.#ready.promise.catch(() => {});
  }

  /** Undefined until discovery has reported and the first round of checks is done. */
  get current(): MemberSet | undefined {
    return this.#current;
  }

  /** Waits for the first set. Rejects with the signal's reason, or when membership is stopped before. */
  async whenReady(signal: AbortSignal): Promise<MemberSet> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = () => aborted.reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      return await Promise.race([this.#ready.promise, aborted.promise]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Calls the listener after every change from now on. Returns what ends that. */
  onChange(listener: MembershipListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Tells that a push could not be delivered: connection refused, or no answer to the push nor to a probe. Takes the
   * member out at once; our own checks bring it back. An address that is no member is ignored. `isSilent`: false when nobody
   * listens there.
   */
  reportUnreachable(address: string, reason: string, isSilent = true): void {
    this.#roster.condemn(address, reason, isSilent);
  }

  start(): void {
    this.#discover([], []);
  }

  /**
   * Takes over new options. Members that stay keep their states, and the set stays as it is until discovery has
   * reported under the new options. Services that an operator took out of Consul are registered again, since a reload
   * says anew what should be there.
   */
  reconfigure(options: MembershipOptions): void {
    const previous = this.#options;
    this.#options = options;
    const isSameService = options.consul !== undefined && options.consul.serviceName === previous.consul?.serviceName;
    if (!isSameService) {
      this.#discover([], []);
      return;
    }
    // Where this router registers nothing, Consul alone says who leaves.
    const removed = options.consul?.register
      ? previous.servers.filter((address) => !options.servers.includes(address))
      : [];
    const known = this.#roster.targets.filter(({ address }) => !removed.includes(address));
    this.#discover(known, removed);
  }

  /** Ends all checks and discovery. Services stay registered: other routers may depend on them. */
  async stop(): Promise<void> {
    this.#ready.reject(new Error("Cannot wait for members: membership was stopped"));
    this.#listeners.clear();
    this.#discovery?.abort.abort();
    this.#roster.stop();
    await this.#discovery?.ended;
  }

  #discover(known: readonly Target[], removed: readonly string[]): void {
    const previous = this.#discovery;
    previous?.abort.abort();
    const abort = new AbortController();
    const discoverer = this.#createDiscoverer(known, removed);
    const report = (targets: readonly Target[]) => {
      if (!abort.signal.aborted) this.#roster.take(targets);
    };
    const run = async () => {
      // Two at a time could register and deregister the same service.
      await previous?.ended;
      await discoverer.run(report, abort.signal);
    };
    this.#discovery = { abort, ended: run() };
  }

  #createDiscoverer(known: readonly Target[], removed: readonly string[]): Discoverer {
    const { servers, draining, consul, healthCheck } = this.#options;
    if (consul === undefined) return new StaticDiscoverer(servers, draining, this.#observer);
    const scope = { servers, draining, known, removed, healthCheck };
    return new ConsulDiscoverer(consul, scope, { log: this.#log, observer: this.#observer });
  }

  #publish(): void {
    const members = this.#roster.members;
    if (members === undefined) return;
    const previous = this.#current;
    const next = MemberSet.of(members, previous);
    if (previous !== undefined && isSame(next, previous)) return;
    this.#current = next;
    if (previous !== undefined && previous.ring !== next.ring) this.#observer.resharded();
    logChange(this.#log, next, previous);
    this.#ready.resolve(next);
    for (const listener of this.#listeners) listener(next, previous);
  }
}

/** Members are immutable and kept while they do not change, so comparing references is enough. */
function isSame(one: MemberSet, other: MemberSet): boolean {
  return one.ring === other.ring && one.members.every((member, index) => member === other.members[index]);
}
