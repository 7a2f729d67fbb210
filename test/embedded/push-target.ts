import { exposeFamilies } from "../../src/embedded/family-exposition.ts";
import { GroupStore, PushRejectedError } from "../../src/embedded/group-store.ts";
import { exposeText } from "../../src/embedded/text-exposition.ts";
import type { MetricFamily } from "../../src/exposition/model.ts";
import { parseDelimited } from "../../src/exposition/protobuf-decoder.ts";
import { parseText, TextFormatError } from "../../src/exposition/text-parser.ts";
import { parsePushPath } from "../../src/sharding/grouping-key.ts";
import type { Pushgateway } from "../support/pushgateway.ts";
import { type Outcome, REJECTED } from "./accepted-differences.ts";
import type { GeneratedPush } from "./push-arbitrary.ts";

/** Something that takes pushes: a real Pushgateway or the core of ours. */
export interface PushTarget {
  push(push: GeneratedPush): Promise<Outcome>;
  /** The text exposition. */
  metrics(): Promise<string>;
  /** The protobuf exposition, without what the server says of itself. */
  families(): Promise<readonly MetricFamily[]>;
  wipe(): Promise<void>;
}

/** A real Pushgateway. It must have its admin API. */
export function realTarget(server: Pushgateway): PushTarget {
  return {
    push: ({ method, path, body }) => request(`${server.url}/metrics/job/${path}`, requestOf(method, body)),
    metrics: async () => (await request(`${server.url}/metrics`, {})).text,
    async families() {
      const response = await fetch(`${server.url}/metrics`, { headers: { accept: PROTOBUF } });
      return parseDelimited(await response.bytes()).filter(({ name }) => !OF_THE_SERVER.test(name));
    },
    async wipe() {
      const { status } = await request(`${server.url}/api/v1/admin/wipe`, { method: "PUT" });
      if (status !== 202) throw new Error(`Cannot wipe ${server.address}: status ${status}`);
    },
  };
}

const PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

function requestOf(method: string, body: GeneratedPush["body"]): RequestInit {
  if (method === "DELETE") return { method };
  return typeof body === "string"
    ? { method, body: Buffer.from(body) }
    : { method, body, headers: { "content-type": PROTOBUF } };
}

async function request(url: string, init: RequestInit): Promise<Outcome> {
  try {
    // On a connection that was used before, fetch would repeat what 1.11.0 answers by closing the connection.
    const response = await fetch(url, { ...init, keepalive: false, signal: AbortSignal.timeout(10_000) });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    if ((error as { code?: string }).code === "ECONNRESET") return { status: "none", text: String(error) };
    throw error;
  }
}

/** The core of the embedded Pushgateway, with the statuses and texts that its server answers. */
export function ownTarget(): PushTarget {
  const store = new GroupStore({ utf8Names: false, ownFamilies: [] });
  return {
    push: (push) => Promise.resolve(pushTo(store, push)),
    metrics: () => Promise.resolve(exposeText(store, []).toString()),
    families: () => Promise.resolve([...exposeFamilies(store, [])]),
    wipe: () => Promise.resolve(store.wipe()),
  };
}

function pushTo(store: GroupStore, { method, path, body }: GeneratedPush): Outcome {
  const key = parsePushPath(`/metrics/job/${path}`, { utf8Names: false });
  if (method === "DELETE") {
    store.delete(key);
    return { status: 202, text: "" };
  }
  const now = Date.now() / 1_000;
  try {
    const families = typeof body === "string" ? parseText(Buffer.from(body)) : parseDelimited(body);
    if (method === "PUT") store.replace(key, families, now);
    else store.update(key, families, now);
    return { status: 200, text: "" };
  } catch (error) {
    if (error instanceof TextFormatError) return { status: 400, text: `${error.message}\n` };
    if (error instanceof PushRejectedError) return { status: 400, text: `${REJECTED}${error.message}\n` };
    throw error;
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
