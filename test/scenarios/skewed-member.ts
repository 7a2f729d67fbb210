import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { parseTimestamp } from "../../src/pushgateway/json-contents.ts";
import { part } from "../support/parts.ts";
import { Pushgateway } from "../support/pushgateway.ts";
import type { MemberPlace, ScenarioMember } from "./scenario-member.ts";

/** What a Pushgateway says about time in its answers, beside the header Date: Unix times, as text or within JSON. */
const PUSH_TIMES = /^(push_(?:failure_)?time_seconds\{.*\} )(\S+)$/gm;
const JSON_PUSH_TIMES =
  /("push_(?:failure_)?time_seconds":\{[^[]*\[\{"labels":\{(?:[^}"]|"(?:[^"\\]|\\.)*")*\},"value":")([^"]*)/g;
const JSON_FAMILY_TIMES = /("time_stamp":")([^"]*)/g;
/** What would have the answer come in a form that cannot be read here. */
const UNREADABLE = new Set(["accept", "accept-encoding"]);

/**
 * A member, not yet started, whose clock is ahead by so many seconds: a real Pushgateway behind a proxy that shifts all times
 * that it tells. A process alone cannot have another wall clock than its machine.
 */
export function skewedMemberAt(secondsAhead: number): (place: MemberPlace) => Promise<ScenarioMember> {
  return async (place) => new SkewedMember(new Pushgateway(await part("pushgateway-1.11.0"), {}), place, secondsAhead);
}

class SkewedMember implements ScenarioMember {
  readonly host: string;
  readonly address: string;
  readonly url: string;
  readonly persistenceFile = "";
  readonly #place: MemberPlace;
  readonly #pushgateway: Pushgateway;
  readonly #secondsAhead: number;
  readonly #agent = new Agent({ keepAlive: true });
  #server: Server | undefined;

  constructor(pushgateway: Pushgateway, place: MemberPlace, secondsAhead: number) {
    this.#pushgateway = pushgateway;
    this.#place = place;
    this.#secondsAhead = secondsAhead;
    this.host = place.host;
    this.address = `${place.host}:${place.port}`;
    this.url = `http://${this.address}`;
  }

  get running(): boolean {
    return this.#pushgateway.running;
  }

  async start(): Promise<void> {
    await this.#pushgateway.start();
    const server = createServer((incoming, outgoing) => this.#handle(incoming, outgoing));
    this.#server = server;
    const { host, port } = this.#place;
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  }

  kill(signal: NodeJS.Signals): void {
    this.#pushgateway.kill(signal);
  }

  async freeze(): Promise<void> {
    await this.#pushgateway.freeze();
  }

  async exited(): Promise<number | NodeJS.Signals> {
    return await this.#pushgateway.exited();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.closeAllConnections();
    this.#server?.close();
    this.#agent.destroy();
    await this.#pushgateway.stop();
  }

  #handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { host, port } = this.#pushgateway;
    const { method, url: path } = incoming;
    const headers = Object.fromEntries(Object.entries(incoming.headers).filter(([name]) => !UNREADABLE.has(name)));
    const upstream = request({ host, port, method, path, headers, agent: this.#agent }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => this.#answer(answer, Buffer.concat(chunks), outgoing));
      answer.on("error", () => outgoing.destroy());
    });
    upstream.on("error", () => outgoing.destroy());
    incoming.pipe(upstream);
  }

  #answer(answer: IncomingMessage, body: Buffer, outgoing: ServerResponse): void {
    const text = body
      .toString("latin1")
      .replaceAll(PUSH_TIMES, this.#shift)
      .replaceAll(JSON_PUSH_TIMES, this.#shift)
      .replaceAll(JSON_FAMILY_TIMES, this.#shiftDate);
    const shifted = Buffer.from(text, "latin1");
    const { "transfer-encoding": _, connection: __, ...headers } = answer.headers;
    const date = new Date(Date.now() + this.#secondsAhead * 1_000).toUTCString();
    outgoing.writeHead(answer.statusCode ?? 502, { ...headers, date, "content-length": shifted.length });
    outgoing.end(shifted);
  }

  /** 0 means never. */
  readonly #shift = (_match: string, before: string, seconds: string): string =>
    `${before}${seconds === "0" ? seconds : Number(this.#nanosecondsAhead(Number(seconds))) / 1e9}`;

  readonly #shiftDate = (_match: string, before: string, date: string): string => {
    const nanoseconds = this.#nanosecondsAhead(parseTimestamp(date));
    const whole = new Date(Number(nanoseconds / 1_000_000n)).toISOString().replace(/\..*/, "");
    return `${before}${whole}.${String(nanoseconds % 1_000_000_000n).padStart(9, "0")}Z`;
  };

  /** Whoever reads a push time and the time of a family that came with it has to find the same. */
  #nanosecondsAhead(seconds: number): bigint {
    return BigInt(seconds.toFixed(9).replace(".", "")) + BigInt(Math.round(this.#secondsAhead * 1e9));
  }
}
