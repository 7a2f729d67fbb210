import { type Consul, startConsul } from "../support/consul.ts";
import { loadPath, PushLoad, type PushLoadOptions } from "../support/push-load.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";
import { waitFor } from "../support/wait-for.ts";

export interface FaultClusterOptions {
  /** Whether a Consul agent says who the members are; the configured servers alone when absent. */
  readonly consul?: boolean;
  /** Sections of the router's configuration; everything is at its default when absent. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly pushgatewayFlags?: readonly string[];
  readonly load?: Partial<Omit<PushLoadOptions, "address">>;
}

const PUSHGATEWAYS = 4;
/** Each push costs a Pushgateway more the more groups it holds, unless its check for consistency is off. */
const LOAD = { pushesPerSecond: 500, groups: 200 };
/** Undisturbed pushes, for later ones to be compared with. */
const PUSHES_BEFORE = 1_500;
/** A member that has fallen again and again must pass 32 checks in a row, one each second by default. */
const STATE_DEADLINE_MS = 60_000;
/** Of the tests' loads, the one with the most groups takes 8 s to push them all. */
const ROUND_DEADLINE_MS = 30_000;
/** For one question to the router, also where many are asked at the same time. */
const QUESTION_TIMEOUT_MS = 20_000;

/** What happens to a cluster, as the figures need it. */
export interface Fault {
  readonly title: string;
  /** When it began, on the monotonic clock. */
  readonly startedAt: number;
  /** Address of the owner of each group before it began. */
  readonly owners: readonly string[];
  /** Addresses of the members that it hits. */
  readonly victims: readonly string[];
}

interface Parts {
  readonly pushgateways: readonly Pushgateway[];
  readonly consul: Consul | undefined;
  readonly router: RouterProcess;
  readonly load: PushLoad;
  /** Whatever must end with the cluster. */
  readonly resources: AsyncDisposableStack;
}

/** Four Pushgateways, perhaps a Consul agent, a router before them and a constant load on it: the stage for a fault. */
export class FaultCluster implements AsyncDisposable {
  readonly pushgateways: readonly Pushgateway[];
  readonly router: RouterProcess;
  readonly load: PushLoad;
  readonly #consul: Consul | undefined;
  readonly #resources: AsyncDisposableStack;

  private constructor(parts: Parts) {
    this.pushgateways = parts.pushgateways;
    this.router = parts.router;
    this.load = parts.load;
    this.#consul = parts.consul;
    this.#resources = parts.resources;
  }

  /** Starts everything, and the load, and returns when all members are active and pushes have gone well for a while. */
  static async start(options: FaultClusterOptions = {}): Promise<FaultCluster> {
    await using stack = new AsyncDisposableStack();
    const pushgateways = await startPushgateways(PUSHGATEWAYS, { flags: options.pushgatewayFlags ?? [] });
    for (const pushgateway of pushgateways) stack.use(pushgateway);
    const consul = options.consul ? stack.use(await startConsul({ persistent: true })) : undefined;
    const config = {
      ...(consul && { consul_server: { addr: consul.address } }),
      pushgateway: { port: pushgateways[0]?.port, servers: pushgateways.map(({ host }) => host) },
      ...options.config,
    };
    const router = stack.use(await startRouterProcess({ config, logLevel: "info" }));
    const load = stack.use(new PushLoad({ address: router.address, ...LOAD, ...options.load }));
    const cluster = new FaultCluster({ pushgateways, consul, router, load, resources: stack.move() });
    try {
      await cluster.waitForAllActive();
      cluster.load.start();
      await waitFor("some pushes", () => cluster.load.records.length >= PUSHES_BEFORE, { timeoutMs: 20_000 });
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  get consul(): Consul {
    if (this.#consul === undefined) throw new Error("Cannot use Consul: this cluster has none");
    return this.#consul;
  }

  at(index: number): Pushgateway {
    const found = this.pushgateways[index];
    if (found === undefined) {
      throw new RangeError(`Cannot find Pushgateway "${index}": there are ${this.pushgateways.length}`);
    }
    return found;
  }

  /** Waits until the router has this Pushgateway in the state. */
  async waitForState(pushgateway: Pushgateway, state: string): Promise<void> {
    const isThere = async () => {
      const seen = await this.#stateOf(pushgateway.address);
      if (seen === state) return true;
      throw new Error(`it is ${seen}`);
    };
    await waitFor(`${pushgateway.address} to be ${state}`, isThere, { timeoutMs: STATE_DEADLINE_MS });
  }

  /** Waits until the ring is whole. */
  async waitForAllActive(): Promise<void> {
    for (const pushgateway of this.pushgateways) await this.waitForState(pushgateway, "active");
  }

  /** Waits until each client has had a push acknowledged that it began after this call. */
  async waitForRound(): Promise<void> {
    const since = performance.now();
    const isRound = () => {
      const done = this.load.records.filter(({ startedAt, failure }) => startedAt >= since && failure === undefined);
      return new Set(done.map(({ group }) => group)).size === this.load.groups;
    };
    await waitFor("every group to be pushed once more", isRound, { timeoutMs: ROUND_DEADLINE_MS });
  }

  /** Kills a Pushgateway of which others believe that it lives, with a push on its way to it. */
  async killAtWork(pushgateway: Pushgateway): Promise<void> {
    await pushgateway.freeze();
    await waitFor(`a push to ${pushgateway.address}`, () =>
      this.metric("dynamic_sharding_upstream_in_flight", { member: pushgateway.address }),
    );
    pushgateway.kill("SIGKILL");
  }

  /** To be called just before something happens to these Pushgateways. */
  async beginFault(title: string, victims: readonly Pushgateway[]): Promise<Fault> {
    const owners = await this.#owners();
    return { title, startedAt: performance.now(), owners, victims: victims.map(({ address }) => address) };
  }

  async #owners(): Promise<readonly string[]> {
    const groups = Array.from({ length: this.load.groups }, (_, group) => group);
    const ask = async (group: number) => {
      const path = encodeURIComponent(loadPath(group));
      return (await this.#api<{ owner: string }>(`/api/v1/owner?path=${path}`)).owner;
    };
    return await Promise.all(groups.map(ask));
  }

  /** Sum of the router's samples of this name that have the labels, among others perhaps. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const response = await fetch(`${this.router.url}/metrics`, { signal: AbortSignal.timeout(QUESTION_TIMEOUT_MS) });
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return (await response.text())
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => wanted.every((pair) => line.includes(pair)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }

  async #stateOf(address: string): Promise<string | undefined> {
    const { members } = await this.#api<{ members: { address: string; state: string }[] }>("/api/v1/members");
    return members.find((member) => member.address === address)?.state;
  }

  async #api<T>(path: string): Promise<T> {
    const response = await fetch(`${this.router.url}${path}`, { signal: AbortSignal.timeout(QUESTION_TIMEOUT_MS) });
    return ((await response.json()) as { data: T }).data;
  }
}
