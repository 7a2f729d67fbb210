import { rm } from "node:fs/promises";
import { type Consul, startConsul } from "../support/consul.ts";
import { freePort } from "../support/free-port.ts";
import type { Prometheus } from "../support/prometheus.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";
import { type Kill, killMember } from "./kill.ts";
import { type MemberStatus, membersOf, metricsOf, routerConfig, scrapedBy, type View } from "./router-view.ts";
import { type MemberPlace, pushgatewayAt, type ScenarioMember } from "./scenario-member.ts";
import { startScraping } from "./scraping.ts";

export interface ClusterOptions {
  /** Members that the routers know from the start. */
  readonly members: number;
  /** Members that run from the start and that the routers do not know yet. None when absent. */
  readonly spare?: number;
  /** Whether a Consul agent says who the members are; the configured servers alone when absent. */
  readonly consul?: boolean;
  /** Sections of the routers' configuration, beside or instead of those for members and quick checks. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** A member, not yet started. A real Pushgateway when absent. */
  readonly memberAt?: (place: MemberPlace) => Promise<ScenarioMember>;
}

interface Parts {
  readonly members: readonly ScenarioMember[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly consul: Consul | undefined;
  readonly routers: readonly RouterProcess[];
  readonly prometheus: Prometheus;
  readonly resources: AsyncDisposableStack;
}

const ROUTERS = 2;
const STATE_DEADLINE_MS = 40_000;
/** All that a router says about the last half minute, for the reports. */
const KEPT_LOG_BYTES = 8 * 1024 * 1024;

/** Pushgateways with persistence files, perhaps a Consul agent, two routers side by side and a Prometheus. */
export class ScenarioCluster implements AsyncDisposable {
  readonly routers: readonly RouterProcess[];
  readonly prometheus: Prometheus;
  readonly kills: Kill[] = [];
  readonly #config: Readonly<Record<string, unknown>>;
  readonly #consul: Consul | undefined;
  readonly #resources: AsyncDisposableStack;

  #members: readonly ScenarioMember[];

  private constructor(parts: Parts) {
    this.#members = parts.members;
    this.#config = parts.config;
    this.routers = parts.routers;
    this.prometheus = parts.prometheus;
    this.#consul = parts.consul;
    this.#resources = parts.resources;
  }

  /** Starts everything and returns when both routers have their members active. */
  static async start(options: ClusterOptions): Promise<ScenarioCluster> {
    await using stack = new AsyncDisposableStack();
    const members = await startMembers(options, stack);
    const consul = options.consul ? stack.use(await startConsul({ persistent: true })) : undefined;
    const servers = members.slice(0, options.members);
    const routers: RouterProcess[] = [];
    for (let i = 0; i < ROUTERS; i++) {
      const config = { ...routerConfig({ servers }, consul), ...options.config };
      routers.push(stack.use(await startRouterProcess({ config, logLevel: "debug", keptOutputBytes: KEPT_LOG_BYTES })));
    }
    const prometheus = stack.use(await startScraping(at(routers, 0)));
    const parts = { members, config: options.config ?? {}, consul, routers, prometheus };
    const cluster = new ScenarioCluster({ ...parts, resources: stack.move() });
    try {
      for (const member of servers) await cluster.waitForState(member, "active");
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** Spare ones included and retired ones not, in the order of their addresses. */
  get members(): readonly ScenarioMember[] {
    return this.#members;
  }

  get consul(): Consul {
    if (this.#consul === undefined) throw new Error("Cannot use Consul: this cluster has none");
    return this.#consul;
  }

  member(index: number): ScenarioMember {
    return at(this.members, index);
  }

  /** Has these routers, or all, read a configuration with other members, and waits until they know them. */
  async reconfigure(view: View, routers: readonly RouterProcess[] = this.routers): Promise<void> {
    for (const router of routers) {
      await router.configure({ ...routerConfig(view, this.#consul), ...this.#config });
      router.reload();
    }
    const wanted = view.servers.map(({ address }) => address).sort();
    const draining = new Set(view.draining?.map(({ address }) => address));
    for (const router of routers) {
      await waitFor(
        `the view of ${router.address} to be the new one`,
        async () => {
          const members = await membersOf(router);
          const known = members.map(({ address }) => address).sort();
          return (
            Bun.deepEquals(known, wanted) && members.every((m) => (m.state === "draining") === draining.has(m.address))
          );
        },
        { timeoutMs: STATE_DEADLINE_MS },
      );
    }
  }

  /** Waits until these routers, or all, have the member in one of the states. */
  async waitForState(
    { address }: ScenarioMember,
    state: string,
    routers: readonly RouterProcess[] = this.routers,
  ): Promise<void> {
    for (const router of routers) {
      const what = `${address} to be ${state} at ${router.address}`;
      const isThere = async () => {
        const member = (await membersOf(router)).find((found) => found.address === address);
        if (member?.state === state) return true;
        throw new Error(`it is ${member?.state}: ${member?.reason}`);
      };
      await waitFor(what, isThere, { timeoutMs: STATE_DEADLINE_MS, intervalMs: 50 });
    }
  }

  /** Kills a member as a crash does. `start` brings it back with its file. */
  async kill(member: ScenarioMember): Promise<void> {
    const kill = await killMember(member);
    if (kill !== undefined) this.kills.push(kill);
  }

  /** Stops a member for good, as an operator does whose routers do not know it any more. */
  async retire(member: ScenarioMember): Promise<void> {
    this.#members = this.#members.filter((other) => other !== member);
    member.kill("SIGTERM");
    await member.exited();
  }

  /** What a router says that these members hold. */
  async holdings(members: readonly ScenarioMember[], router: RouterProcess): Promise<readonly MemberStatus[]> {
    const addresses = new Set(members.map(({ address }) => address));
    return (await membersOf(router)).filter(({ address }) => addresses.has(address));
  }

  /** The ID under which the routers register a member with Consul. */
  serviceId({ address }: ScenarioMember): string {
    return address.replace(":", "_");
  }

  /** Adds a tag to a member's service, as an operator does it who registers it anew. */
  async tag(member: ScenarioMember, tag: string): Promise<void> {
    const id = this.serviceId(member);
    const service = (await this.consul.services())[id];
    if (service === undefined) throw new Error(`Cannot tag "${id}": Consul does not have it`);
    const { Service: Name, Address, Port, Tags } = service;
    await this.consul.register({ ID: id, Name, Address, Port, Tags: [...Tags, tag] });
  }

  /** Addresses that the first router would have Prometheus scrape. */
  async scraped(): Promise<ReadonlySet<string>> {
    return await scrapedBy(at(this.routers, 0));
  }

  /** Sums over both routers of the samples of each name. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const sums = new Map<string, number>();
    for (const samples of await Promise.all(this.routers.map(metricsOf))) {
      for (const [name, value] of samples) sums.set(name, (sums.get(name) ?? 0) + value);
    }
    return sums;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources.disposeAsync();
  }
}

async function startMembers(options: ClusterOptions, stack: AsyncDisposableStack): Promise<readonly ScenarioMember[]> {
  const folder = await temporaryFolder("scenario");
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const count = options.members + (options.spare ?? 0);
  const hosts = Array.from({ length: count }, (_, index) => `127.0.0.${index + 2}`);
  const port = freePort(...hosts);
  const places = hosts.map((host, index) => ({ index, host, port, folder }));
  const members = await Promise.all(places.map(options.memberAt ?? pushgatewayAt));
  for (const member of members) stack.use(member);
  await Promise.all(members.map((member) => member.start()));
  return members;
}

function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new RangeError(`Cannot find number ${index}: there are ${list.length}`);
  return found;
}
