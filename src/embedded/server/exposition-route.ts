import { promisify } from "node:util";
import { gzip, gzipSync } from "node:zlib";
import { contentTypeOf, negotiateFormat, prefersGzip } from "../../exposition/media-type.ts";
import type { MetricFamily } from "../../exposition/model.ts";
import { encodeDelimited } from "../../exposition/protobuf-encoder.ts";
import type { HttpExchange } from "../../http/server-exchange.ts";
import { exposeFamilies } from "../family-exposition.ts";
import type { GroupStore } from "../group-store.ts";
import { exposeText } from "../text-exposition.ts";
import type { Answer } from "./route.ts";

/** The fastest: the network to a Prometheus is nearby more often than not, and pushes wait for the same processor. */
const GZIP_LEVEL = { level: 1 };
/** More than this is compressed by another thread. */
const MAX_SYNC_BYTES = 65_536;

const gzipAside = promisify(gzip);

/** GET of the telemetry path: all groups and the server's own metrics, in the format that the client prefers. */
export function expositionRoute(store: GroupStore, own: () => readonly MetricFamily[]): Answer {
  return async (exchange) => {
    const { fields } = exchange.head;
    const format = negotiateFormat(fields.get("accept"));
    const { kind, escaping } = format;
    const body = kind === "text" ? exposeText(store, own(), escaping) : protobufOf(store, own());
    const headers = ["Content-Type", contentTypeOf(format)];
    if (prefersGzip(fields.get("accept-encoding"))) await respondGzip(exchange, headers, body);
    else exchange.respond(200, headers, body);
  };
}

/** With all names as they are, whatever is understood: as Pushgateway does it. */
function protobufOf(store: GroupStore, own: readonly MetricFamily[]): Buffer {
  const bytes = encodeDelimited(exposeFamilies(store, own));
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

async function respondGzip(exchange: HttpExchange, headers: readonly string[], body: Buffer): Promise<void> {
  const isShort = body.length <= MAX_SYNC_BYTES;
  const compressed = isShort ? gzipSync(body, GZIP_LEVEL) : ((await gzipAside(body, GZIP_LEVEL)) as Buffer);
  exchange.respond(200, [...headers, "Content-Encoding", "gzip"], compressed);
}
