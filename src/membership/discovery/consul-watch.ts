import { targetsFromHealth } from "./consul-catalog.ts";
import { type ConsulClient, ConsulError } from "./consul-client.ts";
import type { Target } from "./discoverer.ts";

export interface ConsulWatchOptions {
  readonly serviceName: string;
  /** Undefined: the agent's own. */
  readonly datacenter: string | undefined;
  /** Time for an answer that need not be waited for. */
  readonly requestTimeoutMs: number;
}

export interface ConsulAnswer {
  readonly targets: readonly Target[];
  /** Whether Consul's state may differ from that of the last answer. */
  readonly isChanged: boolean;
  /** Whether Consul counts from an earlier state on: it was restored from a snapshot, or replaced. */
  readonly wentBackwards: boolean;
  /** Whether the token may not see everything. */
  readonly isFiltered: boolean;
}

// The lowest index that does not mean "answer at once". Consul documents that a 0 or no index at all is to be treated
// so.
const LOWEST_INDEX = "1";

/**
 * Watches a service by blocking queries (Consul's documentation, "Blocking Queries"). Asks for stale answers, which any
 * server can give: without a leader Consul could not answer at all otherwise, and such an answer is refused here by its
 * own header.
 */
export class ConsulWatch {
  readonly #client: ConsulClient;
  readonly #options: ConsulWatchOptions;
  /** An unsigned 64 bit number in decimal. Undefined: answer at once. */
  #index: string | undefined;

  constructor(client: ConsulClient, options: ConsulWatchOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** Waits until something may have changed since the last answer, at most for `waitMs` and Consul's own jitter. */
  async next(waitMs: number, signal: AbortSignal): Promise<ConsulAnswer> {
    const index = this.#index;
    // Forgotten until this answer is good, so that the one after a failure comes at once.
    this.#index = undefined;
    const { serviceName, datacenter, requestTimeoutMs } = this.#options;
    const path = `/v1/health/service/${encodeURIComponent(serviceName)}`;
    const { headers, body } = await this.#client.get(path, {
      query: { stale: "", dc: datacenter, index, wait: index && `${Math.round(waitMs)}ms` },
      // Consul adds up to a sixteenth of the wait.
      timeoutMs: requestTimeoutMs + (index === undefined ? 0 : (waitMs * 17) / 16),
      signal,
    });
    if (headers.get("X-Consul-KnownLeader") === "false") {
      throw new ConsulError(`Cannot use what Consul knows of "${serviceName}": it has no leader`, false);
    }
    const targets = readTargets(serviceName, body);
    const next = readIndex(headers);
    const wentBackwards = index !== undefined && BigInt(next) < BigInt(index);
    this.#index = wentBackwards ? undefined : next;
    const isFiltered = headers.get("X-Consul-Results-Filtered-By-ACLs") === "true";
    return { targets, isChanged: next !== index, wentBackwards, isFiltered };
  }
}

function readTargets(serviceName: string, body: unknown): readonly Target[] {
  try {
    return targetsFromHealth(body);
  } catch (error) {
    throw new ConsulError(`Cannot read what Consul knows of "${serviceName}"`, false, error);
  }
}

function readIndex(headers: Headers): string {
  const index = headers.get("X-Consul-Index") ?? "";
  return /^[0-9]{1,20}$/.test(index) && BigInt(index) > 0n ? index : LOWEST_INDEX;
}
