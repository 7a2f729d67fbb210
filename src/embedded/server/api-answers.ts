import type { HttpExchange } from "../../http/server-exchange.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import { API_HEADERS } from "./api-headers.ts";
import { streamBody } from "./stream-body.ts";

const JSON_HEADERS = [...API_HEADERS, "Content-Type", "application/json"];

/** Answers 200 with data that is JSON already, in Pushgateway's envelope. */
export function respondData(exchange: HttpExchange, data: ByteString): void {
  exchange.respond(200, JSON_HEADERS, Buffer.from(`{"status":"success","data":${data}}`, "latin1"));
}

/** Like `respondData`, for data that may be too long to be made in one go. */
export function streamData(exchange: HttpExchange, data: Iterable<ByteString>): Promise<void> {
  return streamBody(exchange, JSON_HEADERS, inEnvelope(data));
}

function* inEnvelope(data: Iterable<ByteString>): Iterable<ByteString> {
  yield '{"status":"success","data":';
  yield* data;
  yield "}";
}

/** A list whose items are JSON already. */
export function* listOf<Item>(items: Iterable<Item>, format: (item: Item) => ByteString): Iterable<ByteString> {
  let separator = "[";
  for (const item of items) {
    yield separator + format(item);
    separator = ",";
  }
  yield separator === "[" ? "[]" : "]";
}

export type ApiErrorType = "bad_data" | "not_found" | "conflict" | "too_large" | "unavailable" | "internal";

const STATUSES: Readonly<Record<ApiErrorType, number>> = {
  bad_data: 400,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  internal: 500,
  unavailable: 503,
};

export function respondError(exchange: HttpExchange, errorType: ApiErrorType, error: string): void {
  exchange.respond(STATUSES[errorType], JSON_HEADERS, JSON.stringify({ status: "error", errorType, error }));
}
