import type { Logger } from "../../log.ts";
import { splitAddress } from "../../pushgateway/address.ts";
import { isInService, probe } from "../../pushgateway/probe.ts";
import { type ConsulClient, ConsulError } from "./consul-client.ts";
import { asObject, asString, type JsonObject, listAt, stringAt } from "./json.ts";

export interface ConsulRegistrarOptions {
  readonly serviceName: string;
  /** `host:port` of the servers to register. */
  readonly servers: readonly string[];
  /** `host:port` of servers that this router registered and that the configuration no longer has. */
  readonly removed: readonly string[];
  /** What Consul is told to check, and how often. */
  readonly healthCheck: { readonly path: string; readonly intervalMs: number; readonly timeoutMs: number };
  /** Undefined: Consul never removes a server by itself. */
  readonly deregisterCriticalServiceAfterMs: number | undefined;
  /** Deadline of one call of the agent. */
  readonly requestTimeoutMs: number;
  /** Pause after a registration that the agent refused. */
  readonly retryMs: number;
}

/**
 * - `pending`: not registered yet, or lost by the agent.
 * - `held`: registered, as far as we know.
 * - `withdrawn`: taken out by an operator, and left alone.
 */
type Standing = "pending" | "held" | "withdrawn";

/** The parts we use of a service as its agent gives it. */
interface AgentService {
  readonly name: string;
  readonly tags: readonly string[];
  readonly meta: JsonObject;
}

/** By service ID. */
type AgentServices = ReadonlyMap<string, AgentService>;

/** Marks the services that a router registered. */
const MANAGED_BY = "managed-by";
const MANAGER = "dynamic-sharding";
const CONCURRENT_CALLS = 8;

/**
 * Sees to it that the agent has the configured servers, as the predecessor registered them: ID `<ip>_<port>`, one HTTP
 * check.
 *
 * A service that disappears while the agent stays reachable was taken out by an operator, and stays out for the life of
 * this object. Once the agent may have been restarted, missing services count as lost and are registered again.
 * Services stay registered when the router stops, since others may depend on them.
 */
export class ConsulRegistrar {
  readonly #client: ConsulClient;
  readonly #options: ConsulRegistrarOptions;
  readonly #log: Logger;
  readonly #standings: Map<string, Standing>;
  readonly #removed: Set<string>;
  #agentMayHaveForgotten = false;
  #retryAt = 0;

  constructor(client: ConsulClient, options: ConsulRegistrarOptions, log: Logger) {
    this.#client = client;
    this.#options = options;
    this.#log = log;
    this.#standings = new Map(options.servers.map((address) => [address, "pending"]));
    this.#removed = new Set(options.removed);
  }

  /** Whether an operator took it out, so that it must not be used although it is configured. */
  isWithdrawn(address: string): boolean {
    return this.#standings.get(address) === "withdrawn";
  }

  /** Whether something is still to be registered or verified. */
  get hasWork(): boolean {
    return this.#agentMayHaveForgotten || this.#removed.size > 0 || this.#addressesThat("pending").length > 0;
  }

  /** The agent was out of reach, or looks like another one: what it lacks now, it has lost. */
  suspectLoss(): void {
    this.#agentMayHaveForgotten = true;
  }

  /** Compares what the agent has with what it should have, and registers what is missing. Throws a ConsulError. */
  async reconcile(signal: AbortSignal): Promise<void> {
    const services = await this.#servicesAtAgent(signal);
    await this.#compare(services, signal);
    this.#agentMayHaveForgotten = false;
    if (performance.now() < this.#retryAt) return;
    try {
      await this.#deregisterRemoved(services, signal);
      await this.#registerPending(services, signal);
    } catch (error) {
      this.#retryAt = performance.now() + this.#options.retryMs;
      throw error;
    }
  }

  async #servicesAtAgent(signal: AbortSignal): Promise<AgentServices> {
    const { body } = await this.#client.get("/v1/agent/services", {
      timeoutMs: this.#options.requestTimeoutMs,
      signal,
    });
    try {
      return readServices(body);
    } catch (error) {
      throw new ConsulError("Cannot read the services of the Consul agent", false, error);
    }
  }

  async #compare(services: AgentServices, signal: AbortSignal): Promise<void> {
    for (const [address, standing] of this.#standings) {
      const isThere = services.get(serviceId(address))?.name === this.#options.serviceName;
      if (standing === "withdrawn" && isThere) this.#standings.set(address, "held");
      if (standing === "held" && !isThere) this.#standings.set(address, await this.#explainAbsence(address, signal));
    }
  }

  async #explainAbsence(address: string, signal: AbortSignal): Promise<Standing> {
    if (this.#agentMayHaveForgotten || (await this.#wasReaped(address, signal))) {
      this.#log.warn("Service is missing at the Consul agent, it will be registered again", { member: address });
      return "pending";
    }
    this.#log.info("Service was taken out of Consul, it is left out until the next reload", { member: address });
    return "withdrawn";
  }

  /**
   * Consul removes dead services by itself where it was told to. A server that answers was removed by somebody else.
   */
  async #wasReaped(address: string, signal: AbortSignal): Promise<boolean> {
    return this.#options.deregisterCriticalServiceAfterMs !== undefined && !(await this.#isAlive(address, signal));
  }

  async #isAlive(address: string, signal: AbortSignal): Promise<boolean> {
    const { path, timeoutMs } = this.#options.healthCheck;
    return isInService((await probe(address, { path, timeoutMs, signal })).verdict);
  }

  async #deregisterRemoved(services: AgentServices, signal: AbortSignal): Promise<void> {
    for (const address of this.#removed) {
      const id = serviceId(address);
      const service = services.get(id);
      const isOurs = service?.meta[MANAGED_BY] === MANAGER;
      if (isOurs && service.name === this.#options.serviceName) {
        const path = `/v1/agent/service/deregister/${encodeURIComponent(id)}`;
        await this.#client.put(path, { timeoutMs: this.#options.requestTimeoutMs, signal });
        this.#log.info("Deregistered a server that the configuration no longer has", { member: address });
      }
      this.#removed.delete(address);
    }
  }

  async #registerPending(services: AgentServices, signal: AbortSignal): Promise<void> {
    const pending = this.#addressesThat("pending");
    if (pending.length === 0) return;
    const alive = new Map(
      await Promise.all(pending.map(async (address) => [address, await this.#isAlive(address, signal)] as const)),
    );
    // A dead one would only be registered to be removed again.
    const isReaping = this.#options.deregisterCriticalServiceAfterMs !== undefined;
    const waiting = pending.filter((address) => !isReaping || alive.get(address));
    const worker = async () => {
      for (let address = waiting.pop(); address !== undefined; address = waiting.pop()) {
        await this.#register(address, services.get(serviceId(address)), alive.get(address) ?? false, signal);
      }
    };
    const results = await Promise.allSettled(Array.from({ length: CONCURRENT_CALLS }, worker));
    const registered = pending.filter((address) => this.#standings.get(address) === "held");
    if (registered.length > 0)
      this.#log.info("Registered servers with the Consul agent", { services: registered.length });
    const failure = results.find((result) => result.status === "rejected");
    if (failure !== undefined) throw failure.reason;
  }

  async #register(
    address: string,
    known: AgentService | undefined,
    isAlive: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { serviceName, healthCheck, deregisterCriticalServiceAfterMs, requestTimeoutMs } = this.#options;
    const { host, port } = splitAddress(address);
    const id = serviceId(address);
    await this.#client.put("/v1/agent/service/register", {
      body: {
        ID: id,
        Name: serviceName,
        Address: host,
        Port: port,
        // What an operator tagged stays tagged: a restart of the router must not put a draining server back to work.
        Tags: known?.tags ?? [],
        Meta: { ...known?.meta, [MANAGED_BY]: MANAGER },
        Check: {
          // The ID that Consul gave the predecessor's check, so that ours takes its place. Asking Consul to replace all
          // checks instead (`replace-existing-checks`) would also lift an operator's maintenance mode.
          CheckID: `service:${id}`,
          Name: `GET ${healthCheck.path}`,
          HTTP: `http://${address}${healthCheck.path}`,
          Interval: `${healthCheck.intervalMs}ms`,
          Timeout: `${healthCheck.timeoutMs}ms`,
          // Only a new check takes this; a known one keeps its status (test/assumptions/consul.test.ts).
          Status: isAlive ? "passing" : "critical",
          ...(deregisterCriticalServiceAfterMs !== undefined && {
            DeregisterCriticalServiceAfter: `${deregisterCriticalServiceAfterMs}ms`,
          }),
        },
      },
      timeoutMs: requestTimeoutMs,
      signal,
    });
    this.#standings.set(address, "held");
  }

  #addressesThat(standing: Standing): string[] {
    return [...this.#standings].filter(([, actual]) => actual === standing).map(([address]) => address);
  }
}

function readServices(body: unknown): AgentServices {
  const services = Object.entries(asObject(body, "services"));
  return new Map(services.map(([id, value]) => [id, readService(asObject(value, id))]));
}

function readService(service: JsonObject): AgentService {
  const { Meta: meta } = service;
  return {
    name: stringAt(service, "Service"),
    tags: listAt(service, "Tags", asString),
    meta: meta === null || meta === undefined ? {} : asObject(meta, "Meta"),
  };
}

/** The predecessor's ID of a service. */
function serviceId(address: string): string {
  const { host, port } = splitAddress(address);
  return `${host}_${port}`;
}
