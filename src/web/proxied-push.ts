import { DelimitedLengths } from "../exposition/delimited-lengths.ts";
import type { OutputBuffer } from "../http/output-buffer.ts";
import type { ResponseHead } from "../http/response-head.ts";
import {
  type BodyReceiver,
  CLIENT_LEFT,
  type HttpExchange,
  type ResponseBodyFraming,
} from "../http/server-exchange.ts";
import type { PushOutcome, RouterMetrics } from "../metrics.ts";
import type { AttemptFailure, AttemptReceiver, OutgoingRequest, PushAttempt } from "../pushgateway/push-attempt.ts";
import type { PushgatewayClients } from "../pushgateway/pushgateway-clients.ts";
import type { GroupingKey } from "../sharding/grouping-key.ts";
import type { BodyBudget } from "./body-budget.ts";
import { delimitedBodyOf } from "./delimited-body.ts";
import type { PushOwners } from "./push-owners.ts";

export interface ProxySettings {
  /** Bodies up to this size are gathered before they are sent, so that they can be sent to another member. */
  readonly maxBufferedBodyBytes: number;
  /** From the end of the body to the end of the answer, over all attempts; while a body is streamed, between two steps. */
  readonly requestTimeoutMs: number;
}

/** What all proxied pushes of a router share. */
export interface ProxyContext {
  readonly settings: ProxySettings;
  /** The Via line that every proxied push gets, with its CRLF. */
  readonly viaLine: string;
  readonly clients: PushgatewayClients;
  readonly budget: BodyBudget;
  readonly metrics: RouterMetrics;
  readonly placement: PushPlacement;
  /** Pushes under way, for whoever keeps the deadlines. */
  readonly active: Set<ProxiedPush>;
  /** Told once when the push is over. */
  readonly onDone: (push: ProxiedPush, outcome: PushOutcome, detail: string) => void;
}

/** What the push path tells of groups, and asks about them, so that each has one copy. */
export interface PushPlacement {
  /** A push has to wait until this resolves, and then for `whenOpen`; undefined: it can go ahead. Never rejects. */
  beforePush(key: GroupingKey, method: string): Promise<void> | undefined;
  /** Resolves when nobody works on the group any more; undefined: nobody does. Never rejects. */
  whenOpen(key: GroupingKey): Promise<void> | undefined;
  /** A member answered 2xx. Resolves when the client can be told; undefined: at once. Never rejects. */
  acknowledged(key: GroupingKey, method: string, address: string): Promise<void> | undefined;
  /** A push to the member was given up after its bytes were sent. */
  doubted(key: GroupingKey, address: string): void;
  /** A member rejected a push, or the client was told to push somewhere by itself. */
  questioned(key: GroupingKey): void;
}

/**
 * One push on its way through: gathers the body, or streams it if it is large, sends it to the owner, moves on to the next
 * member when that one is out of reach, and hands the answer back as it comes.
 */
export class ProxiedPush implements BodyReceiver, AttemptReceiver, OutgoingRequest {
  readonly startedAt: number;
  readonly exchange: HttpExchange;
  readonly #context: ProxyContext;
  readonly #owners: PushOwners;
  #status = 0;
  /** Address of the member that the push was last sent to. */
  owner = "";
  /** When the push is given up, on the monotonic clock. The client itself is timed by its connection. */
  #deadline = Number.POSITIVE_INFINITY;
  readonly #chunks: Buffer[] = [];
  #gatheredBytes = 0;
  /** Checks a body that members read as delimited protobuf. */
  readonly #lengths: DelimitedLengths | undefined;
  /** Whether members may die of the body, and it cannot be checked. */
  readonly #isUnchecked: boolean;
  /** Of the budget. */
  #taken = 0;
  #phase: "gathering" | "streaming" | "waiting" | "done" = "gathering";
  /** Whether the body must go out in pieces of unknown total. */
  #chunked = false;
  /** Whether the member takes more of a streamed body at the moment. */
  #flowing = false;
  /** What was already read from the client when the flow stopped: no more than one read from the socket. */
  #held: Buffer[] = [];
  /** Whether more of the body went to a member than is kept here, so that no other can get it. */
  #streamedOn = false;
  #attempt: PushAttempt | undefined;
  #attemptStartedAt = 0;
  /** Whether the member has had bytes of the push. */
  #wasSent = false;
  /** The answer, while the copies that the push made stale are removed: a client that was told must not find them any more. */
  #heldAnswer: { readonly head: ResponseHead; readonly chunks: Buffer[]; isWhole: boolean; isDue: boolean } | undefined;

  constructor(exchange: HttpExchange, owners: PushOwners, context: ProxyContext, startedAt: number) {
    this.exchange = exchange;
    this.#owners = owners;
    this.#context = context;
    this.startedAt = startedAt;
    const delimited = delimitedBodyOf(exchange.head);
    this.#lengths = delimited instanceof DelimitedLengths ? delimited : undefined;
    this.#isUnchecked = delimited === "encoded";
  }

  start(): void {
    this.#context.active.add(this);
    // A client that leaves after its last byte has pushed: it is only not told. Before that, nothing of it may be stored.
    this.exchange.onClose = () => {
      if (this.#phase !== "waiting") this.#giveUp("aborted", "the client closed the connection");
    };
    this.exchange.onDrain = () => this.#attempt?.resumeResponse();
    const { framing } = this.exchange.head;
    if (framing.kind === "length" && framing.length > this.#context.settings.maxBufferedBodyBytes)
      this.#startStreaming();
    if (this.#phase !== "done") this.exchange.receiveBody(this);
  }

  /** Gives the push up when its time is over. */
  checkDeadline(now: number): void {
    if (now < this.#deadline) return;
    const { requestTimeoutMs } = this.#context.settings;
    const text = `Cannot push to ${this.owner}: no answer within ${requestTimeoutMs} ms`;
    if (this.#attempt?.wasSent === true) this.#doubt();
    this.#answer(504, text, "timed_out");
  }

  onData(chunk: Buffer): void {
    if (this.#lengths !== undefined && this.#refuses(this.#lengths.take(chunk))) return;
    if (this.#phase === "gathering") this.#gather(chunk);
    else if (this.#phase === "streaming") this.#stream(chunk);
  }

  onEnd(): void {
    if (this.#phase === "done") return;
    if (this.#lengths !== undefined && this.#refuses(this.#lengths.end())) return;
    this.#deadline = performance.now() + this.#context.settings.requestTimeoutMs;
    if (this.#phase === "gathering") {
      this.#phase = "waiting";
      this.#tryNextOwner();
      return;
    }
    this.#phase = "waiting";
    if (this.#chunked) this.#attempt?.write(LAST_CHUNK);
    this.#attempt?.finish();
  }

  onAbort(reason: string): void {
    this.#giveUp(abortOutcome(reason, this.exchange), reason);
  }

  onDrain(): void {
    if (this.#phase !== "streaming") return;
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#flowing = true;
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.#stream(chunk);
    if (this.#flowing) this.exchange.resumeBody();
  }

  onResponseHead(head: ResponseHead): void {
    this.#status = head.status;
    const cleanedUp = this.#isDelivered
      ? this.#context.placement.acknowledged(this.key, this.method, this.owner)
      : undefined;
    if (cleanedUp === undefined) {
      this.exchange.passOn(head, responseFraming(head));
      return;
    }
    const held = { head, chunks: [], isWhole: false, isDue: false };
    this.#heldAnswer = held;
    void cleanedUp.then(() => {
      held.isDue = true;
      this.#releaseAnswer();
    });
  }

  onResponseData(chunk: Buffer): void {
    if (this.#heldAnswer !== undefined) this.#heldAnswer.chunks.push(chunk);
    else if (!this.exchange.write(chunk)) this.#attempt?.pauseResponse();
  }

  onResponseEnd(): void {
    this.#attempt = undefined;
    this.#context.metrics.upstreamAnswered((performance.now() - this.#attemptStartedAt) / 1000);
    if (!this.#isDelivered) this.#context.placement.questioned(this.key);
    if (this.#heldAnswer === undefined) this.#endAnswer();
    else {
      // It is stored, so there is no deadline any more after which the client could be told that it is not.
      this.#deadline = Number.POSITIVE_INFINITY;
      this.#heldAnswer.isWhole = true;
      this.#releaseAnswer();
    }
  }

  get #isDelivered(): boolean {
    return this.#status >= 200 && this.#status < 300;
  }

  #releaseAnswer(): void {
    const held = this.#heldAnswer;
    if (held === undefined || !held.isWhole || !held.isDue || this.#phase === "done") return;
    this.#heldAnswer = undefined;
    this.exchange.passOn(held.head, responseFraming(held.head));
    for (const chunk of held.chunks) this.exchange.write(chunk);
    this.#endAnswer();
  }

  #endAnswer(): void {
    this.#finish(this.#isDelivered ? "delivered" : "rejected", `status ${this.#status}`);
    this.exchange.end();
  }

  onAttemptFailed(failure: AttemptFailure, detail: string): void {
    this.#attempt = undefined;
    this.#context.metrics.upstreamFailed(this.owner, failure);
    if (SEEN_BY_MEMBER.has(failure)) this.#doubt();
    if (this.#status !== 0) {
      this.#finish("failed", detail);
      this.exchange.abort();
    } else if (failure === "dropped") {
      this.#answer(502, `${detail}. ${DROPPED_HINT}`, "failed");
    } else if (failure === "malformed") {
      this.#answer(502, `Cannot read the answer of ${this.owner}: ${detail}`, "failed");
    } else if (failure === "overloaded") {
      this.#answer(503, `Cannot push to ${this.owner}: ${detail}`, "unavailable");
    } else if (this.#isUnchecked && this.#wasSent && DEATHS.has(failure)) {
      this.#answer(502, `Cannot push to ${this.owner}: ${detail}. ${ENCODED_HINT}`, "failed");
    } else if (this.#streamedOn) {
      this.#answer(
        502,
        `Cannot push to ${this.owner}: ${detail}. A body this large is not kept for another member`,
        "failed",
      );
    } else {
      this.#tryNextOwner(failure, detail);
    }
  }

  /** The member may have applied the push, or apply it yet. */
  #doubt(): void {
    const { placement } = this.#context;
    placement.doubted(this.key, this.owner);
    placement.questioned(this.key);
  }

  /** A body with a problem must not get to any member as a whole. */
  #refuses(problem: string | undefined): boolean {
    if (problem === undefined || this.#phase === "done") return false;
    this.#answer(400, `Cannot push: ${problem}`, "refused");
    return true;
  }

  #gather(chunk: Buffer): void {
    this.#chunks.push(chunk);
    const { settings, budget } = this.#context;
    const cost = chunk.length + CHUNK_COST_BYTES;
    this.#gatheredBytes += chunk.length;
    if (this.#gatheredBytes <= settings.maxBufferedBodyBytes && budget.take(cost)) this.#taken += cost;
    else this.#startStreaming();
  }

  #startStreaming(): void {
    this.#phase = "streaming";
    this.#chunked = this.exchange.head.framing.kind === "chunked";
    this.#tryNextOwner();
  }

  /** Reads no more of the body until the member is ready for it, which must not take too long. */
  #holdBack(): void {
    this.#flowing = false;
    this.#deadline = performance.now() + this.#context.settings.requestTimeoutMs;
    this.exchange.pauseBody();
  }

  #stream(chunk: Buffer): void {
    if (!this.#flowing) {
      this.#held.push(chunk);
      return;
    }
    this.#streamedOn = true;
    this.#chunks.length = 0;
    const framed = this.#chunked ? frameChunk(chunk) : chunk;
    if (this.#attempt?.write(framed) === false) this.#holdBack();
  }

  #tryNextOwner(failure?: AttemptFailure, detail?: string): void {
    const owner = this.#owners.next();
    if (owner === undefined) {
      const reason = detail === undefined ? "no member takes pushes" : `the last one tried: ${detail}`;
      this.#answer(503, `No Pushgateway can take the push: ${reason}`, "unavailable");
      return;
    }
    if (failure !== undefined) this.#context.metrics.failedOver(failure);
    if (this.#phase === "streaming") this.#holdBack();
    this.owner = owner;
    this.#attemptStartedAt = performance.now();
    this.#wasSent = false;
    const attempt = this.#context.clients.get(owner).send(this, this);
    // A failure may have come, and the next member been tried, before this returned.
    if (!attempt.isOver) this.#attempt = attempt;
  }

  get key(): GroupingKey {
    return this.#owners.key;
  }

  /** Whether no member has answered yet. */
  get isUnanswered(): boolean {
    return this.#status === 0;
  }

  get method(): string {
    return this.exchange.head.method;
  }

  get isWhole(): boolean {
    return this.#phase === "waiting";
  }

  /** The request as the member gets it: the client's own bytes, but for what describes a single connection. */
  writeTo(output: OutputBuffer, address: string): void {
    this.#wasSent = true;
    const { method, target, fields, connectionOptions } = this.exchange.head;
    output.addText(`${method} ${target} HTTP/1.1\r\nHost: ${address}\r\n`);
    fields.copyEndToEnd(output, connectionOptions);
    output.addText(`${this.#context.viaLine}${this.#framingLine()}\r\n`);
    for (const chunk of this.#chunks) output.addBytes(this.#chunked ? frameChunk(chunk) : chunk);
    if (this.#chunked && this.isWhole) output.addBytes(LAST_CHUNK);
  }

  #framingLine(): string {
    if (this.#chunked) return "Transfer-Encoding: chunked\r\n";
    const { framing } = this.exchange.head;
    if (framing.kind === "length") return `Content-Length: ${framing.length}\r\n`;
    if (framing.kind === "chunked") return `Content-Length: ${this.#gatheredBytes}\r\n`;
    return this.exchange.head.method === "DELETE" ? "" : "Content-Length: 0\r\n";
  }

  /** Answers in the router's own words. */
  #answer(status: number, text: string, outcome: PushOutcome): void {
    this.#giveUp(outcome, text);
    const headers = status === 503 ? ["Retry-After", "1"] : [];
    if (this.exchange.isOpen) this.exchange.respondText(status, `${text}\n`, headers);
    else this.exchange.abort();
  }

  /** Cuts the connection to the member, if the push is on one: a body that was not sent in full must never look whole. */
  #giveUp(outcome: PushOutcome, detail: string): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#finish(outcome, detail);
    attempt?.abort();
  }

  #finish(outcome: PushOutcome, detail: string): void {
    if (this.#phase === "done") return;
    this.#phase = "done";
    this.#deadline = Number.POSITIVE_INFINITY;
    this.#context.active.delete(this);
    this.#context.budget.giveBack(this.#taken);
    this.#chunks.length = 0;
    this.#held = [];
    this.#context.onDone(this, outcome, detail);
  }
}

/** Failures after which the member may have applied the push, or apply it yet. */
const SEEN_BY_MEMBER: ReadonlySet<AttemptFailure> = new Set(["dead", "unresponsive", "dropped", "malformed"]);

/** Failures of a member that has gone, if it was there: `unreachable` also follows when the push is sent again in vain. */
const DEATHS: ReadonlySet<AttemptFailure> = new Set(["dead", "unreachable"]);

/** Memory that a piece of a body takes beside its bytes: a client that sends byte by byte costs 240 times what it sends. */
const CHUNK_COST_BYTES = 256;

/** A client that goes away may have been told 400; one that was refused has always been told. */
export function abortOutcome(reason: string, exchange: HttpExchange): PushOutcome {
  return reason === CLIENT_LEFT || exchange.status === 0 ? "aborted" : "refused";
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

const DROPPED_HINT =
  "Pushgateway 1.11.0 does this instead of answering 400 to some pushes that it rejects: check the pushed metrics for " +
  "inconsistent types, duplicates and timestamps, and the Pushgateway's log";

const ENCODED_HINT =
  "It may have died of this body, which no other member gets: the router cannot check protobuf in gzip or snappy. Push " +
  "protobuf without a Content-Encoding";

function frameChunk(chunk: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, CRLF]);
}

const CRLF = Buffer.from("\r\n");

function responseFraming(head: ResponseHead): ResponseBodyFraming {
  switch (head.framing.kind) {
    case "length":
      return { length: head.framing.length };
    case "none":
      return head.status === 204 || head.status === 304 ? "no-body" : { length: 0 };
    default:
      return "unknown-length";
  }
}
