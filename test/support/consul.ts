import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { part } from "./parts.ts";
import { runCommand } from "./run-command.ts";
import { ServerProcess, temporaryFolder } from "./server-process.ts";

export interface ConsulOptions {
  /** HTTP (or HTTPS) port; a free one when absent. */
  readonly port?: number;
  /** Services and checks survive a restart of the agent. When absent the agent comes back empty, as one that was replaced. */
  readonly persistent?: boolean;
  /** Access control with "deny" by default; `token` is then the management token. */
  readonly acl?: boolean;
  /** HTTPS only, under an own authority; with "verify-client" the agent asks for a client certificate of that authority. */
  readonly tls?: boolean | "verify-client";
  /** More of Consul's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly flags?: readonly string[];
}

export interface ConsulTlsFiles {
  readonly caFile: string;
  /** A client certificate and its key. */
  readonly certFile: string;
  readonly keyFile: string;
}

interface Endpoint {
  readonly port: number;
  readonly token: string | undefined;
  readonly tls: ConsulTlsFiles | undefined;
}

/** A real Consul agent: a server of one, with its own leader. */
export class Consul extends ServerProcess {
  /** host:port of the HTTP API. */
  readonly address: string;
  readonly url: string;
  readonly token: string | undefined;
  readonly tls: ConsulTlsFiles | undefined;

  constructor(argv: readonly string[], folder: string, endpoint: Endpoint) {
    const address = `127.0.0.1:${endpoint.port}`;
    super({ name: `Consul ${address}`, argv, folders: [folder], ready: () => this.#hasLeader() });
    this.address = address;
    this.url = `${endpoint.tls === undefined ? "http" : "https"}://${address}`;
    this.token = endpoint.token;
    this.tls = endpoint.tls;
  }

  /** Any call of the HTTP API, with the management token unless `init` brings another. */
  async request(path: string, init: BunFetchRequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.token !== undefined && !headers.has("x-consul-token")) headers.set("x-consul-token", this.token);
    const tls = this.tls && {
      ca: Bun.file(this.tls.caFile),
      cert: Bun.file(this.tls.certFile),
      key: Bun.file(this.tls.keyFile),
    };
    return await fetch(`${this.url}${path}`, {
      signal: AbortSignal.timeout(10_000),
      ...init,
      headers,
      ...(tls && { tls }),
    });
  }

  /** A call that must succeed, as JSON (or as text where the answer is none). */
  async call<T>(method: "GET" | "PUT", path: string, body?: unknown): Promise<T> {
    const response = await this.request(path, { method, body: body === undefined ? null : JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`Cannot ${method} "${path}" at Consul: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  /** Registers a service at the agent; `definition` is Consul's own JSON. */
  async register(definition: Readonly<Record<string, unknown>>): Promise<void> {
    await this.call("PUT", "/v1/agent/service/register", definition);
  }

  async deregister(serviceId: string): Promise<void> {
    await this.call("PUT", `/v1/agent/service/deregister/${encodeURIComponent(serviceId)}`);
  }

  /** Maintenance mode of one service. */
  async maintain(serviceId: string, enable: boolean): Promise<void> {
    await this.call("PUT", `/v1/agent/service/maintenance/${encodeURIComponent(serviceId)}?enable=${enable}`);
  }

  /** The agent's services by their ID. */
  async services(): Promise<
    Readonly<Record<string, { Service: string; Address: string; Port: number; Tags: string[] }>>
  > {
    return await this.call("GET", "/v1/agent/services");
  }

  /** A token with the given rules, in Consul's policy language. */
  async createToken(rules: string): Promise<string> {
    const name = `rules-${randomUUID()}`;
    await this.call("PUT", "/v1/acl/policy", { Name: name, Rules: rules });
    const made = await this.call<{ SecretID: string }>("PUT", "/v1/acl/token", { Policies: [{ Name: name }] });
    return made.SecretID;
  }

  async #hasLeader(): Promise<boolean> {
    if ((await this.call<string>("GET", "/v1/status/leader")) === "") throw new Error("no leader yet");
    // The access control system starts in an older mode, which knows no policies, and changes over by itself.
    if (this.token !== undefined) await this.call("GET", "/v1/acl/token/self");
    const members = await this.call<unknown[]>("GET", "/v1/catalog/nodes");
    return members.length > 0;
  }
}

/** Starts a Consul agent and waits until it has a leader. */
export async function startConsul(options: ConsulOptions = {}): Promise<Consul> {
  const binary = await part("consul");
  const folder = await temporaryFolder("consul");
  const endpoint: Endpoint = {
    port: options.port ?? freePort(),
    token: options.acl ? randomUUID() : undefined,
    tls: options.tls ? await makeCertificates(binary, folder) : undefined,
  };
  const file = join(folder, "agent.json");
  await Bun.write(file, JSON.stringify({ ...agentConfig(folder, endpoint, options), ...options.config }, undefined, 2));
  const mode = options.persistent ? ["-server", "-bootstrap-expect=1", `-data-dir=${folder}/data`] : ["-dev"];
  const server = new Consul(
    [binary, "agent", ...mode, `-config-file=${file}`, ...(options.flags ?? [])],
    folder,
    endpoint,
  );
  await server.start();
  return server;
}

function agentConfig(folder: string, endpoint: Endpoint, options: ConsulOptions): Readonly<Record<string, unknown>> {
  const { port, token } = endpoint;
  return {
    node_name: "test",
    bind_addr: "127.0.0.1",
    client_addr: "127.0.0.1",
    ports: {
      http: options.tls ? -1 : port,
      https: options.tls ? port : -1,
      dns: -1,
      grpc: -1,
      serf_wan: -1,
      serf_lan: freePort(),
      server: freePort(),
    },
    performance: { raft_multiplier: 1 },
    disable_update_check: true,
    leave_on_terminate: false,
    skip_leave_on_interrupt: true,
    ...(token !== undefined && {
      acl: { enabled: true, default_policy: "deny", tokens: { master: token, agent: token } },
    }),
    ...(options.tls && {
      ca_file: join(folder, "consul-agent-ca.pem"),
      cert_file: join(folder, "dc1-server-consul-0.pem"),
      key_file: join(folder, "dc1-server-consul-0-key.pem"),
      verify_incoming_https: options.tls === "verify-client",
    }),
  };
}

/** Consul's own tool makes the authority, a server certificate for 127.0.0.1 and localhost, and a client certificate. */
async function makeCertificates(binary: string, folder: string): Promise<ConsulTlsFiles> {
  const tool = async (...args: string[]) => await runCommand([binary, "tls", ...args], { cwd: folder });
  await tool("ca", "create");
  await tool("cert", "create", "-server", "-additional-ipaddress=127.0.0.1");
  await tool("cert", "create", "-client");
  return {
    caFile: join(folder, "consul-agent-ca.pem"),
    certFile: join(folder, "dc1-client-consul-0.pem"),
    keyFile: join(folder, "dc1-client-consul-0-key.pem"),
  };
}
