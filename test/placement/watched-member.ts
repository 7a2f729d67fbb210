/** What to leave out of a member that is watched. */
export interface WatchedMemberOptions {
  /** Whether it deletes on condition, as stock Pushgateways do not; true when absent. */
  readonly speaksGroupsApi?: boolean;
}

const LISTING = "/api/v1/metrics";
const GROUPS_API = /^\/api\/v1\/(group|groups|dynamic-sharding)(\/|$)/;

/** Stands between a router and a Pushgateway, counts what the router asks, and lets a test act right before it is answered. */
export class WatchedMember implements AsyncDisposable {
  /** Whether it answers 503 to everything. */
  isAway = false;
  /** Whether it answers 503 to deletions. */
  refusesDeletions = false;
  /** Otherwise it answers 404 to that. */
  listsGroups = true;
  /** Called with each request before it is handed on; the request waits for it. */
  onRequest: (method: string, path: string) => Promise<void> = async () => {};
  #requests = 0;
  #looks = 0;
  #deletions = 0;
  readonly #server: Bun.Server<undefined>;

  constructor(url: string, { speaksGroupsApi = true }: WatchedMemberOptions = {}) {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      idleTimeout: 0,
      fetch: async (request) => {
        this.#requests++;
        const { pathname, search } = new URL(request.url);
        if (this.#isRefused(request.method)) return new Response("away", { status: 503 });
        if (pathname === LISTING) this.#looks++;
        if (request.method === "DELETE") this.#deletions++;
        await this.onRequest(request.method, pathname);
        const isKnown = pathname === LISTING ? this.listsGroups : speaksGroupsApi || !GROUPS_API.test(pathname);
        if (!isKnown) return new Response("", { status: 404 });
        const { method, headers } = request;
        return await fetch(`${url}${pathname}${search}`, { method, headers, body: await request.bytes() });
      },
    });
  }

  #isRefused(method: string): boolean {
    return this.isAway || (this.refusesDeletions && method === "DELETE");
  }

  /** host:port */
  get address(): string {
    return `127.0.0.1:${this.#server.port}`;
  }

  /** How often it was asked for anything, also while it refused that. */
  get requests(): number {
    return this.#requests;
  }

  /** How often it was asked for all of its groups. */
  get looks(): number {
    return this.#looks;
  }

  /** How often it was asked to delete one. */
  get deletions(): number {
    return this.#deletions;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}
