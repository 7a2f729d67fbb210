/** One request to the fake agent. */
export interface ConsulRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  /** When it came, as `performance.now()` counts. */
  readonly at: number;
}

/**
 * As much of a Consul agent as it takes to make it misbehave: a real HTTP server with one service, whose index,
 * headers, status and body a test sets at will. A query with the current index waits for the next change, as Consul's
 * does. For everything that a real agent can be brought to do, use a real one.
 */
export class FakeConsul implements Disposable {
  readonly address: string;
  readonly requests: ConsulRequest[] = [];
  /** Entries of the health answer; or any other JSON, to be misunderstood. */
  body: unknown = [];
  status = 200;
  /** Undefined: no index at all. */
  index: string | undefined = "10";
  headers: Readonly<Record<string, string>> = { "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0" };
  /** What was registered, by ID. The health answer knows nothing of it. */
  readonly #services = new Map<string, { readonly Service: string }>();
  readonly #server: ReturnType<typeof Bun.serve>;
  #changed = Promise.withResolvers<void>();

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: (request) => this.#answer(request),
    });
    this.address = `127.0.0.1:${this.#server.port}`;
  }

  /** Health queries so far. */
  get queries(): readonly ConsulRequest[] {
    return this.requests.filter(({ path }) => path.startsWith("/v1/health/service/"));
  }

  /** Changes what is answered, and wakes the query that waits. */
  change(changes: Partial<Pick<FakeConsul, "body" | "status" | "index" | "headers">>): void {
    Object.assign(this, changes);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Loses what was registered, as an agent does that is replaced. */
  forget(): void {
    this.#services.clear();
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname: path, searchParams: query } = new URL(request.url);
    const { method, headers } = request;
    this.requests.push({ method, path, query, headers, at: performance.now() });
    if (path === "/v1/agent/services") return Response.json(Object.fromEntries(this.#services));
    if (path === "/v1/agent/service/register") {
      const { ID, Name } = (await request.json()) as { ID: string; Name: string };
      this.#services.set(ID, { Service: Name });
      return new Response();
    }
    const asked = query.get("index");
    if (asked !== null && asked === this.index) await this.#changed.promise;
    return Response.json(this.body, {
      status: this.status,
      headers: { ...this.headers, ...(this.index !== undefined && { "X-Consul-Index": this.index }) },
    });
  }
}

/** A passing service at each address, as the health API lists them. */
export function healthEntries(...addresses: readonly string[]): unknown[] {
  return addresses.map((address) => {
    const { hostname, port } = new URL(`http://${address}`);
    return {
      Node: { Node: "n1", Address: "127.0.0.1" },
      Service: { ID: `${hostname}_${port}`, Service: "pushgateway", Tags: [], Address: hostname, Port: Number(port) },
      Checks: [{ CheckID: "serfHealth", Status: "passing" }],
    };
  });
}
