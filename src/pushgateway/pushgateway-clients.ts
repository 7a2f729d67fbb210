import { OutputBuffer } from "../http/output-buffer.ts";
import { PushgatewayClient, type PushgatewayClientOptions } from "./pushgateway-client.ts";

/** Often enough to notice a stall or a connect timeout of a second or so in good time. */
const WATCH_INTERVAL_MS = 100;

/** The clients of all members, by address, and the one clock that looks after them. */
export class PushgatewayClients {
  #options: PushgatewayClientOptions;
  readonly #clients = new Map<string, PushgatewayClient>();
  readonly #output = new OutputBuffer();
  readonly #retiring = new Set<PushgatewayClient>();
  readonly #watch: Timer;

  constructor(options: PushgatewayClientOptions) {
    this.#options = options;
    this.#watch = setInterval(() => {
      const now = performance.now();
      for (const client of this.#clients.values()) client.watch(now);
      for (const client of this.#retiring) {
        client.watch(now);
        if (client.inFlight === 0) this.#retiring.delete(client);
      }
    }, WATCH_INTERVAL_MS);
  }

  /** The client for a member, made when it is first needed. */
  get(address: string): PushgatewayClient {
    let client = this.#clients.get(address);
    if (client === undefined) {
      client = new PushgatewayClient(address, this.#options, this.#output);
      this.#clients.set(address, client);
    }
    return client;
  }

  /** Uses other options from the next push on. Pushes under way finish under the ones that they began with. */
  reconfigure(options: PushgatewayClientOptions): void {
    this.#options = options;
    this.retain(new Set());
  }

  /** Lets go of members that are not among these. Pushes under way to them may finish. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, client] of this.#clients) {
      if (addresses.has(address)) continue;
      this.#clients.delete(address);
      this.#retiring.add(client);
      client.retire();
    }
  }

  /** Pushes in flight, by member. */
  *inFlight(): Iterable<readonly [address: string, pushes: number]> {
    for (const [address, client] of this.#clients) yield [address, client.inFlight];
  }

  /** Closes idle connections and stops looking after the rest. Call it when no push is under way. */
  close(): void {
    clearInterval(this.#watch);
    for (const client of this.#clients.values()) client.retire();
    this.#clients.clear();
  }
}
