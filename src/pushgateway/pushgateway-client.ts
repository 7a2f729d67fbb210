import { ClientConnection, type ConnectionError } from "../http/client-connection.ts";
import type { OutputBuffer } from "../http/output-buffer.ts";
import { splitAddress } from "./address.ts";
import { hasAnswered, type ProbeResult, probe } from "./probe.ts";
import { type AttemptOwner, type AttemptReceiver, type OutgoingRequest, PushAttempt } from "./push-attempt.ts";

export interface PushgatewayClientOptions {
  /** Connections to one member, and so pushes in flight on it. More wait, so that a slow member cannot take all there is. */
  readonly maxInFlight: number;
  /** Pushes that may wait for a connection to one member; one more fails as `overloaded`. */
  readonly maxQueued: number;
  /**
   * A member that has let a push wait for so long, for a connection or an answer, is probed. If the probe goes unanswered too,
   * the member is unreachable and its pushes are given up. A member that answers the probe is busy, and waited for.
   */
  readonly stallTimeoutMs: number;
  /** Request target of the probe. */
  readonly probePath: string;
  readonly probeTimeoutMs: number;
  /** Told of a member that cannot be reached, with what was seen. `isSilent`: false when nobody listens there. */
  readonly onUnreachable: (address: string, detail: string, isSilent: boolean) => void;
}

/** Idle connections beyond these are closed rather than kept. */
const MAX_IDLE_CONNECTIONS = 64;
const IDLE_TIMEOUT_MS = 60_000;
/** When a connection that does not come about frees its place. Whoever waited for it has been served or told long before. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * One Pushgateway as the push path sees it: a pool of keep-alive connections, a bounded queue, and an eye on pushes that go
 * unanswered. Its members are independent: whatever hangs here delays nobody else.
 */
export class PushgatewayClient implements AttemptOwner {
  readonly address: string;
  readonly output: OutputBuffer;
  readonly #host: string;
  readonly #port: number;
  readonly #options: PushgatewayClientOptions;
  readonly #attempts = new Set<PushAttempt>();
  /** In order of arrival; an attempt that is given up leaves at once. */
  readonly #queue = new Set<PushAttempt>();
  /** The most recently used last: those at the front can grow old and be closed. */
  readonly #idle: { readonly connection: ClientConnection; readonly since: number }[] = [];
  readonly #connecting = new Map<ClientConnection, { readonly attempt: PushAttempt; readonly since: number }>();
  #now = performance.now();
  #connectionCount = 0;
  #probing = false;
  #isJudgingIdleLoss = false;
  #lastProbe = Number.NEGATIVE_INFINITY;
  #retired = false;

  /** `output` is shared by all clients of a router. */
  constructor(address: string, options: PushgatewayClientOptions, output: OutputBuffer) {
    const { host, port } = splitAddress(address);
    this.address = address;
    this.output = output;
    this.#host = host;
    this.#port = port;
    this.#options = options;
  }

  get now(): number {
    return this.#now;
  }

  /** Pushes that are on their way to this member, those that wait for a connection included. */
  get inFlight(): number {
    return this.#attempts.size;
  }

  /** Sends a request. What becomes of it goes to the receiver, possibly before this returns. */
  send(request: OutgoingRequest, receiver: AttemptReceiver): PushAttempt {
    const attempt = new PushAttempt(request, receiver, this);
    this.#attempts.add(attempt);
    attempt.start();
    return attempt;
  }

  connect(attempt: PushAttempt, fresh: boolean): void {
    const idle = fresh ? undefined : this.#idle.pop();
    if (idle !== undefined) {
      attempt.useConnection(idle.connection);
    } else if (this.#connectionCount < this.#options.maxInFlight) {
      this.#open(attempt);
    } else if (fresh && this.#idle.length > 0) {
      this.#idle.shift()?.connection.destroy();
      this.#open(attempt);
    } else if (this.#queue.size < this.#options.maxQueued) {
      this.#queue.add(attempt);
    } else {
      attempt.fail("overloaded", `${this.#queue.size} pushes already wait for ${this.address}`);
    }
  }

  judgeLoss(attempt: PushAttempt, error: ConnectionError): void {
    void this.#probe().then((result) => {
      if (hasAnswered(result.verdict)) {
        attempt.fail("dropped", `${this.address} closed the connection without an answer (${error.message})`);
        return;
      }
      // First, so that pushes which move on choose among members of whom this is known.
      this.#reportUnreachable(result);
      attempt.fail("dead", `${this.address}: ${error.message}, then ${result.detail}`);
      this.#failUnconnected(result.detail);
    });
  }

  /**
   * A Pushgateway sets no idle timeout, so one that closes an idle connection may have died. Each router must notice, also one whose
   * clients push nothing while it is away: other routers have its groups pushed elsewhere, and it returns with older copies.
   */
  #judgeIdleLoss(): void {
    if (this.#isJudgingIdleLoss) return;
    this.#isJudgingIdleLoss = true;
    void this.#probe().then((result) => {
      this.#isJudgingIdleLoss = false;
      if (hasAnswered(result.verdict) || this.#retired) return;
      this.#reportUnreachable(result);
      this.#failUnconnected(result.detail);
    });
  }

  release(attempt: PushAttempt): void {
    this.#attempts.delete(attempt);
    this.#queue.delete(attempt);
  }

  /** No more pushes will come: those under way may finish, and no connection is kept behind them. */
  retire(): void {
    this.#retired = true;
    this.#closeIdle();
  }

  #closeIdle(): void {
    for (const { connection } of this.#idle.splice(0)) connection.destroy();
  }

  /** Looks after everything that waits. To be called several times within a stall timeout. */
  watch(now: number): void {
    this.#now = now;
    while (this.#idle[0] !== undefined && now - this.#idle[0].since > IDLE_TIMEOUT_MS) {
      this.#idle.shift()?.connection.destroy();
    }
    for (const [connection, { since }] of this.#connecting) {
      if (now - since > CONNECT_TIMEOUT_MS) this.#abandon(connection);
    }
    this.#watchStalls(now);
  }

  #abandon(connection: ClientConnection): void {
    this.#connecting.get(connection)?.attempt.fail("unreachable", `no connection to ${this.address} came about`);
    this.#connecting.delete(connection);
    connection.destroy();
    this.#onClosed(connection);
  }

  #watchStalls(now: number): void {
    const { stallTimeoutMs } = this.#options;
    if (this.#probing || now - this.#lastProbe < stallTimeoutMs) return;
    let longest = Number.POSITIVE_INFINITY;
    for (const attempt of this.#attempts) longest = Math.min(longest, attempt.waitingSince);
    if (now - longest < stallTimeoutMs) return;
    this.#probing = true;
    void this.#probe().then((result) => {
      this.#probing = false;
      this.#lastProbe = performance.now();
      if (!hasAnswered(result.verdict)) this.#giveUp(result);
    });
  }

  #reportUnreachable({ detail, verdict }: ProbeResult): void {
    this.#options.onUnreachable(this.address, detail, verdict !== "refused");
  }

  #probe(): Promise<ProbeResult> {
    return probe(this.address, { path: this.#options.probePath, timeoutMs: this.#options.probeTimeoutMs });
  }

  /**
   * The member is out of reach: fails every push that waits for it. The latest ones, too: they would wait in vain for another
   * probe, and with no time left for a third member if the next one is frozen as well.
   */
  #giveUp(result: ProbeResult): void {
    this.#reportUnreachable(result);
    this.#closeIdle();
    // The queue first, so that the connections which come free open no new ones.
    for (const attempt of [...this.#queue, ...this.#attempts]) {
      if (attempt.waitingSince < Number.POSITIVE_INFINITY)
        attempt.fail("unresponsive", `${this.address} does not answer: ${result.detail}`);
    }
  }

  #open(attempt: PushAttempt): void {
    this.#connectionCount++;
    const connection = ClientConnection.open(
      this.#host,
      this.#port,
      () => this.#onConnected(connection),
      (error) => {
        this.#connecting.delete(connection);
        this.#connectionCount--;
        // First, so that pushes which move on choose among members of whom this is known.
        this.#options.onUnreachable(this.address, error.message, error.code !== "ECONNREFUSED");
        attempt.fail("unreachable", error.message);
        this.#failUnconnected(error.message);
      },
    );
    this.#connecting.set(connection, { attempt, since: this.#now });
  }

  #onConnected(connection: ClientConnection): void {
    const waiting = this.#connecting.get(connection);
    this.#connecting.delete(connection);
    connection.onIdle = () => this.#onIdle(connection);
    connection.onClose = () => this.#onClosed(connection);
    if (waiting === undefined || waiting.attempt.isOver) this.#onIdle(connection);
    else waiting.attempt.useConnection(connection);
  }

  #onIdle(connection: ClientConnection): void {
    const next = this.#nextQueued();
    if (next !== undefined) next.useConnection(connection);
    else if (!this.#retired && this.#idle.length < MAX_IDLE_CONNECTIONS)
      this.#idle.push({ connection, since: this.#now });
    else connection.destroy();
  }

  #onClosed(connection: ClientConnection): void {
    this.#connectionCount--;
    const index = this.#idle.findIndex((idle) => idle.connection === connection);
    if (index !== -1) {
      this.#idle.splice(index, 1);
      this.#judgeIdleLoss();
    }
    const next = this.#connectionCount < this.#options.maxInFlight ? this.#nextQueued() : undefined;
    if (next !== undefined) this.#open(next);
  }

  #nextQueued(): PushAttempt | undefined {
    const [next] = this.#queue;
    if (next !== undefined) this.#queue.delete(next);
    return next;
  }

  /** Nobody listens there: whoever waits for a connection would wait in vain. */
  #failUnconnected(detail: string): void {
    for (const { attempt } of [...this.#connecting.values()]) attempt.fail("unreachable", detail);
    for (const attempt of [...this.#queue]) attempt.fail("unreachable", detail);
  }
}
