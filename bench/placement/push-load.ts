import { OutputBuffer } from "../../src/http/output-buffer.ts";
import { encodeGroupBody } from "../../src/pushgateway/group-contents.ts";
import { putGroup } from "../../src/pushgateway/group-requests.ts";
import { PushgatewayClient } from "../../src/pushgateway/pushgateway-client.ts";
import { type GroupingKey, groupingKeyOf } from "../../src/sharding/grouping-key.ts";

/** A push of what a batch job pushes, to a Pushgateway or a router. */
export interface Push {
  readonly address: string;
  readonly key: GroupingKey;
  /** PUT when absent. */
  readonly method?: "PUT" | "POST";
}

/** How pushes went that were sent at a steady rate. */
export interface SteadyPushes {
  /** How long each took in milliseconds, from the moment at which it was due. */
  readonly latencies: readonly number[];
  /** How many were not answered 2xx. */
  readonly failed: number;
}

const TIMEOUT_MS = 60_000;
/** Of a timer: what is due within this is sent now. */
const TICK_MS = 1;

function metric(value: number, ...labels: string[]) {
  return { labels, value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
}

const BODY = encodeGroupBody([
  { name: "batch_job_last_success_seconds", help: "When it last succeeded.", type: "gauge", metrics: [metric(1.75e9)] },
  {
    name: "batch_job_records_total",
    help: "Records handled.",
    type: "counter",
    metrics: [metric(12_345, "kind", "read"), metric(777, "kind", "written")],
  },
]);

/** The key of the group with this number. */
export function groupKey(number: number): GroupingKey {
  const labels = { instance: `host-${number % 977}.example.org:8080`, zone: `z${number % 7}` };
  const list = Object.entries(labels).map(([name, value]) => ({ name, value }));
  return groupingKeyOf(`batch_${number}`, list);
}

/** Clients of servers, each over connections that are kept. */
export class PushLoad implements Disposable {
  readonly #maxInFlight: number;
  readonly #output = new OutputBuffer();
  readonly #clients = new Map<string, PushgatewayClient>();

  constructor(maxInFlight: number) {
    this.#maxInFlight = maxInFlight;
  }

  /** Sends pushes as fast as they are answered. Rejects when one is not answered 2xx. */
  async pushAll(pushes: Iterable<Push>, signal: AbortSignal): Promise<void> {
    const left = pushes[Symbol.iterator]();
    const work = async () => {
      for (let next = left.next(); !next.done; next = left.next()) {
        signal.throwIfAborted();
        await this.push(next.value);
      }
    };
    await Promise.all(Array.from({ length: this.#maxInFlight }, work));
  }

  /**
   * Sends pushes at this rate until `isOver`, whether or not those before are answered. A machine that is too busy makes members
   * miss the router's deadline; then the push counts as one that failed, and as slow as it was.
   */
  async pushSteadily(
    pushes: Iterator<Push>,
    rate: number,
    isOver: () => boolean,
    signal: AbortSignal,
  ): Promise<SteadyPushes> {
    const latencies: number[] = [];
    let failed = 0;
    const running = new Set<Promise<void>>();
    const started = performance.now();
    for (let sent = 0; !isOver(); sent++) {
      signal.throwIfAborted();
      const due = started + (sent * 1_000) / rate;
      while (performance.now() < due - TICK_MS) await Bun.sleep(due - performance.now());
      const push = this.push(pushes.next().value as Push)
        .catch(() => failed++)
        .then(() => {
          latencies.push(performance.now() - due);
          running.delete(push);
        });
      running.add(push);
    }
    await Promise.all(running);
    return { latencies, failed };
  }

  async push({ address, key, method = "PUT" }: Push): Promise<void> {
    const result = await putGroup(this.#client(address), key, BODY, method, {
      utf8Names: false,
      timeoutMs: TIMEOUT_MS,
    });
    if (!result.ok) throw new Error(`Cannot push to ${address}: ${result.detail}`);
  }

  #client(address: string): PushgatewayClient {
    const known = this.#clients.get(address);
    if (known !== undefined) return known;
    const options = {
      maxInFlight: this.#maxInFlight,
      maxQueued: 4_096,
      stallTimeoutMs: TIMEOUT_MS,
      probePath: "/-/healthy",
      probeTimeoutMs: 10_000,
      onUnreachable: () => {},
    };
    const client = new PushgatewayClient(address, options, this.#output);
    this.#clients.set(address, client);
    return client;
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client.retire();
  }
}
