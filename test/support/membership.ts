import { createLogger } from "../../src/log.ts";
import type { ConsulOptions } from "../../src/membership/discovery/consul-discoverer.ts";
import type { MemberState } from "../../src/membership/member.ts";
import type { MemberSet } from "../../src/membership/member-set.ts";
import { Membership, type MembershipOptions } from "../../src/membership/membership.ts";
import type { MembershipObserver } from "../../src/membership/membership-observer.ts";
import { type WaitOptions, waitFor } from "./wait-for.ts";

/** Health checks ten times as fast as the default ones. */
export const FAST_CHECKS: MembershipOptions["healthCheck"] = {
  intervalMs: 500,
  timeoutMs: 400,
  path: "/-/healthy",
  failuresBeforeDown: 3,
  successesBeforeActive: 2,
};

/** Consul at the given address, with nothing that needs configuring, and retries fast enough for a test. */
export function consulOptions(address: string, more: Partial<ConsulOptions> = {}): ConsulOptions {
  return {
    address,
    scheme: "http",
    basicAuth: undefined,
    token: undefined,
    tokenFile: undefined,
    tls: undefined,
    datacenter: undefined,
    serviceName: "pushgateway",
    register: true,
    deregisterCriticalServiceAfterMs: undefined,
    ...more,
    pacing: { retryMinMs: 100, retryMaxMs: 500, burst: 5, refillMs: 100, ...more.pacing },
  };
}

/** A running Membership with a memory: every set it had, everything it logged, what its observer heard. */
export class WatchedMembership implements AsyncDisposable {
  readonly membership: Membership;
  readonly sets: MemberSet[] = [];
  readonly counts = { refreshSucceeded: 0, refreshFailed: 0, checked: 0, resharded: 0 };
  #log = "";
  #options: MembershipOptions;

  constructor(options: Partial<MembershipOptions>) {
    this.#options = { servers: [], draining: [], consul: undefined, healthCheck: FAST_CHECKS, ...options };
    const log = createLogger({
      level: "debug",
      format: "logfmt",
      write: (line) => {
        this.#log += line;
      },
    });
    this.membership = new Membership(this.#options, { log, observer: this.#countingObserver() });
    this.membership.onChange((next) => this.sets.push(next));
    this.membership.start();
  }

  /** Everything logged so far. */
  get log(): string {
    return this.#log;
  }

  /** `127.0.0.2:9091 active` for each member now. */
  get states(): readonly string[] {
    return this.membership.current?.members.map(({ address, state }) => `${address} ${state}`) ?? [];
  }

  stateOf(address: string): MemberState | undefined {
    return this.membership.current?.members.find((member) => member.address === address)?.state;
  }

  /** The states that a member has had, in turn, without repetitions. */
  historyOf(address: string): readonly MemberState[] {
    const states = this.sets.flatMap(
      ({ members }) => members.find((member) => member.address === address)?.state ?? [],
    );
    return states.filter((state, index) => state !== states[index - 1]);
  }

  async ready(): Promise<MemberSet> {
    return await this.membership.whenReady(AbortSignal.timeout(10_000));
  }

  /** Waits until each of the given members, and no other, has its state. */
  async waitForStates(expected: Readonly<Record<string, MemberState>>, options?: WaitOptions): Promise<void> {
    const wanted = Object.entries(expected).map(([address, state]) => `${address} ${state}`);
    await waitFor(
      `members to be ${wanted.join(", ")}`,
      () => {
        const seen = this.states;
        if (wanted.sort().join() !== [...seen].sort().join())
          throw new Error(`${seen.join(", ")}\n${this.#log.slice(-3_000)}`);
        return true;
      },
      options,
    );
  }

  reload(changes: Partial<MembershipOptions> = {}): void {
    this.#options = { ...this.#options, ...changes };
    this.membership.reconfigure(this.#options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.membership.stop();
  }

  #countingObserver(): MembershipObserver {
    const count = (what: keyof typeof this.counts) => () => {
      this.counts[what] += 1;
    };
    return {
      refreshSucceeded: count("refreshSucceeded"),
      refreshFailed: count("refreshFailed"),
      checked: count("checked"),
      resharded: count("resharded"),
    };
  }
}

/** The given addresses, all in the same state. */
export function allIn(state: MemberState, addresses: Iterable<string>): Readonly<Record<string, MemberState>> {
  return Object.fromEntries(Array.from(addresses, (address) => [address, state]));
}
