import { RawConnection } from "./raw-http.ts";
import { waitFor } from "./wait-for.ts";

export interface PushLoadOptions {
  /** host:port to push to. */
  readonly address: string;
  readonly pushesPerSecond: number;
  readonly groups: number;
}

/** What became of one push. */
export interface PushRecord {
  /** Index of the group. */
  readonly group: number;
  /** On the monotonic clock. */
  readonly startedAt: number;
  /** From before the connection, where the push makes one of its own, to the end of the answer. */
  readonly latencyMs: number;
  /** Why the client counts it as failed. Undefined: answered 2xx in time. */
  readonly failure: string | undefined;
}

/** The strictest clients wait for so long (pushgateway-protocol.md A: Perl, sparkMeasure). */
const PUSH_DEADLINE_MS = 5_000;
/** One push in so many comes on a connection of its own, as curl and the Python client push. */
const SHORT_LIVED_EVERY = 8;

/**
 * Clients that push at a constant rate, whether or not answers come, and remember what they were told. Each group has one client,
 * which waits for its answer before it pushes again, as real ones do; the client that has rested longest pushes next, and a turn
 * for which no client is free is missed. Half of the clients use PUT and half POST, and all give their labels in changing order.
 */
export class PushLoad implements AsyncDisposable {
  readonly #options: PushLoadOptions;
  readonly #records: PushRecord[] = [];
  readonly #pushed: number[];
  readonly #acknowledged = new Map<number, number>();
  /** Groups without a push under way, the longest rested first. */
  readonly #free: number[];
  readonly #idle: RawConnection[] = [];
  #underWay = 0;
  #turns = 0;
  #missedTurns = 0;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: PushLoadOptions) {
    this.#options = options;
    this.#free = Array.from({ length: options.groups }, (_, group) => group);
    this.#pushed = this.#free.map(() => 0);
  }

  get groups(): number {
    return this.#options.groups;
  }

  /** Every push that is over, in the order of their ends. */
  get records(): readonly PushRecord[] {
    return this.#records;
  }

  /** The last value that was acknowledged, by group. */
  get acknowledged(): ReadonlyMap<number, number> {
    return this.#acknowledged;
  }

  /** Turns that passed because every client was waiting for an answer: the load was lower than it should have been. */
  get missedTurns(): number {
    return this.#missedTurns;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Begins no more pushes and waits for those under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    await waitFor("the last pushes to be over", () => this.#underWay === 0, { timeoutMs: 3 * PUSH_DEADLINE_MS });
    for (const connection of this.#idle.splice(0)) await connection[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(): Promise<void> {
    const { pushesPerSecond } = this.#options;
    const startedAt = performance.now();
    while (!this.#stopped) {
      const due = ((performance.now() - startedAt) * pushesPerSecond) / 1_000;
      while (this.#turns < due) this.#takeTurn();
      await Bun.sleep(1);
    }
  }

  #takeTurn(): void {
    this.#turns++;
    const group = this.#free.shift();
    if (group === undefined) {
      this.#missedTurns++;
      return;
    }
    const value = (this.#pushed[group] ?? 0) + 1;
    this.#pushed[group] = value;
    this.#underWay++;
    const isShortLived = this.#turns % SHORT_LIVED_EVERY === 0;
    void this.#push(group, value, isShortLived).finally(() => {
      this.#underWay--;
      this.#free.push(group);
    });
  }

  async #push(group: number, value: number, isShortLived: boolean): Promise<void> {
    const startedAt = performance.now();
    let failure: string | undefined;
    try {
      failure = await this.#exchange(pushRequest(this.#options.address, group, value, isShortLived), isShortLived);
    } catch (error) {
      failure = String(error);
    }
    const latencyMs = performance.now() - startedAt;
    if (failure === undefined && latencyMs > PUSH_DEADLINE_MS) failure = `answered after ${latencyMs.toFixed(0)} ms`;
    if (failure === undefined) this.#acknowledged.set(group, value);
    this.#records.push({ group, startedAt, latencyMs, failure });
  }

  async #exchange(request: string, isShortLived: boolean): Promise<string | undefined> {
    const idle = isShortLived ? undefined : this.#idle.pop();
    const connection = idle ?? (await RawConnection.open(this.#options.address, { timeoutMs: PUSH_DEADLINE_MS }));
    try {
      void connection.write(request);
      const response = await connection.readResponse();
      if (!isShortLived) this.#idle.push(connection);
      else await connection[Symbol.asyncDispose]();
      if (response.status >= 200 && response.status < 300) return undefined;
      return `${response.status} ${response.text().trim()}`;
    } catch (error) {
      await connection[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** A path of the group, with its labels in this order or that. */
export function loadPath(group: number, reversed = false): string {
  const labels = [`instance/client-${group}`, `zone/zone-${group % 3}`];
  return `/metrics/job/load/${(reversed ? labels.reverse() : labels).join("/")}`;
}

/** Name of the one metric that every push sets. */
export const LOAD_METRIC = "load_pushes";

/** The group as `groupsOf` names it. */
export function loadGroupKey(group: number): string {
  return JSON.stringify({ instance: `client-${group}`, job: "load", zone: `zone-${group % 3}` });
}

function pushRequest(address: string, group: number, value: number, isShortLived: boolean): string {
  const body = `# TYPE ${LOAD_METRIC} gauge\n${LOAD_METRIC} ${value}\n`;
  return [
    `${group % 2 === 0 ? "PUT" : "POST"} ${loadPath(group, value % 2 === 0)} HTTP/1.1`,
    `Host: ${address}`,
    ...(isShortLived ? ["Connection: close"] : []),
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
}

/** Figures of some pushes, latencies in milliseconds. */
export interface PushFigures {
  readonly pushes: number;
  readonly failed: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function figuresOf(records: readonly PushRecord[]): PushFigures {
  const latencies = Float64Array.from(records, ({ latencyMs }) => latencyMs).sort();
  const quantile = (share: number) =>
    latencies[Math.min(Math.floor(share * latencies.length), latencies.length - 1)] ?? 0;
  const failed = records.filter(({ failure }) => failure !== undefined).length;
  return {
    pushes: records.length,
    failed,
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: quantile(1),
  };
}
