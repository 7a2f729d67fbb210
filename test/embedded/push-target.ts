import type { MetricFamily } from "../../src/exposition/model.ts";
import { parseDelimited } from "../../src/exposition/protobuf-decoder.ts";
import { PROTOBUF_TYPE } from "../support/push-bodies.ts";
import type { Outcome } from "./accepted-differences.ts";
import { HttpTarget, type WireAnswer, type WireRequest } from "./http-target.ts";
import type { GeneratedPush } from "./push-arbitrary.ts";

/** A Pushgateway under test, a real one or ours. It must have its admin API. */
export class PushTarget implements AsyncDisposable {
  readonly #http: HttpTarget;

  constructor(server: { readonly address: string }) {
    this.#http = new HttpTarget(server.address);
  }

  async send(request: WireRequest): Promise<WireAnswer> {
    return await this.#http.send(request);
  }

  async push({ method, path, body }: GeneratedPush): Promise<Outcome> {
    const isText = typeof body === "string";
    const { status, text } = await this.send({
      method,
      target: `/metrics/job/${path}`,
      headers: isText ? [] : [`Content-Type: ${PROTOBUF_TYPE}`],
      body: method === "DELETE" ? "" : isText ? Buffer.from(body) : body,
    });
    return { status, text };
  }

  /** The text exposition. */
  async metrics(): Promise<string> {
    return (await this.#get("/metrics")).text;
  }

  /** The groups that `GET /api/v1/metrics` shows. */
  async groups(): Promise<readonly object[]> {
    const { data } = JSON.parse((await this.#get("/api/v1/metrics")).text) as { data: readonly object[] };
    return data;
  }

  /** The protobuf exposition, without what the server says of itself. */
  async families(): Promise<readonly MetricFamily[]> {
    const response = await fetch(`http://${this.#http.address}/metrics`, { headers: { accept: PROTOBUF_TYPE } });
    return parseDelimited(await response.bytes()).filter(({ name }) => !OF_THE_SERVER.test(name));
  }

  async wipe(): Promise<void> {
    const { status } = await this.send({ method: "PUT", target: "/api/v1/admin/wipe", headers: [], body: "" });
    if (status !== 202) throw new Error(`Cannot wipe ${this.#http.address}: status ${status}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http[Symbol.asyncDispose]();
  }

  async #get(target: string): Promise<WireAnswer> {
    const answer = await this.send({ method: "GET", target, headers: [], body: "" });
    if (answer.status === 200) return answer;
    throw new Error(`Cannot read ${target} of ${this.#http.address}: status ${answer.status}: ${answer.text}`);
  }
}

const OF_THE_SERVER = /^(?:# (?:HELP|TYPE) )?(?:go|process|promhttp|pushgateway)_/;

/**
 * What an exposition says, without the server's own metrics, without what clocks say, without HELP, of which a real
 * Pushgateway shows that of a random group, and without the order of the series of a family, which says nothing.
 */
export function essence(exposition: string): readonly string[] {
  const lines = exposition.split("\n").filter((line) => !/^$|^# HELP /.test(line) && !OF_THE_SERVER.test(line));
  return lines.map((line) => (line.startsWith("push_") ? line.replace(/ [1-9].*$/, " set") : line)).sort();
}

/** Names of the families of an exposition in their order, without the server's own. */
export function familyNames(exposition: string): readonly string[] {
  const headings = exposition.split("\n").filter((line) => line.startsWith("# TYPE ") && !OF_THE_SERVER.test(line));
  return headings.map((line) => line.split(" ")[2] ?? "");
}

/** The groups without what clocks say, and in an order: that of Pushgateway's is none. */
export function groupsEssence(groups: readonly object[]): readonly unknown[] {
  const texts = groups.map((group) => JSON.stringify(group, (key, value) => normalize(key, value)));
  return texts.sort().map((text) => JSON.parse(text) as unknown);
}

function normalize(key: string, value: unknown): unknown {
  if (key === "time_stamp") return typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);
  if (key === "metrics") return (value as object[]).map((metric) => sortKeys(metric)).sort(byText);
  const isTime = key === "value" && /^1\.\d+e\+09$/.test(String(value));
  return isTime ? "set" : typeof value === "object" && !Array.isArray(value) ? sortKeys(value as object) : value;
}

function sortKeys(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function byText(a: object, b: object): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
