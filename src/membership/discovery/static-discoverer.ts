import type { MembershipObserver } from "../membership-observer.ts";
import { type Discoverer, sortedByAddress, type Target } from "./discoverer.ts";

/** The servers that the configuration lists. They never change by themselves, and nobody but us checks their health. */
export class StaticDiscoverer implements Discoverer {
  readonly mechanism = "static";
  readonly #targets: readonly Target[];
  readonly #observer: MembershipObserver;

  /** `draining` names those of the servers that were asked to leave. */
  constructor(servers: readonly string[], draining: readonly string[], observer: MembershipObserver) {
    this.#targets = configuredTargets(servers, draining);
    this.#observer = observer;
  }

  async run(report: (targets: readonly Target[]) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => resolve(), { once: true });
    this.#observer.refreshSucceeded(this.mechanism);
    report(this.#targets);
    await promise;
  }
}

/** The servers as targets that nobody vouches for. */
export function configuredTargets(servers: readonly string[], draining: readonly string[]): readonly Target[] {
  return sortedByAddress([...new Set(servers)].map((address) => configuredTarget(address, draining.includes(address))));
}

function configuredTarget(address: string, draining: boolean): Target {
  return { address, draining, health: "unknown", reason: draining ? "listed under draining" : "configured" };
}
