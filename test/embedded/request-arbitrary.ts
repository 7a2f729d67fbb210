import fc from "fast-check";
import { pushPath } from "../integration/push-path-arbitrary.ts";
import { PROTOBUF_TYPE, snappyFramed } from "../support/push-bodies.ts";
import type { WireRequest } from "./http-target.ts";
import { protobufBody } from "./protobuf-arbitrary.ts";
import { type TextPush, textPush } from "./push-arbitrary.ts";

/** A request, and what it holds for those who judge the answers. */
export interface GeneratedRequest extends WireRequest {
  /** The body as it is once its Content-Encoding is taken off, if it is text. */
  readonly text: string;
  readonly kind: "text" | "protobuf" | "encoded" | "path";
}

/** What clients, good and bad, may send to a Pushgateway under its push paths. */
export function generatedRequest(): fc.Arbitrary<GeneratedRequest> {
  const text = textPush.map((push): GeneratedRequest => ({ ...requestOf(push), kind: "text" }));
  return fc.oneof(
    { weight: 10, arbitrary: text },
    { weight: 3, arbitrary: fc.tuple(textPush, protobufBody).map(([push, body]) => protobufRequest(push, body)) },
    { weight: 2, arbitrary: fc.tuple(textPush, encoding).map(([push, encode]) => encode(requestOf(push))) },
    { weight: 4, arbitrary: fc.tuple(pushPath(), method, textPush).map(([path, verb]) => pathRequest(path, verb)) },
  );
}

function requestOf({ method, path, body }: TextPush): GeneratedRequest {
  const bytes = method === "DELETE" ? "" : Buffer.from(body);
  const target = `/metrics/job/${path}`;
  return { method, target, headers: [], body: bytes, text: body, kind: "encoded" };
}

function protobufRequest(push: TextPush, body: Uint8Array): GeneratedRequest {
  const headers = [`Content-Type: ${PROTOBUF_TYPE}`];
  return {
    ...requestOf({ ...push, method: push.method === "DELETE" ? "PUT" : push.method }),
    headers,
    body,
    text: "",
    kind: "protobuf",
  };
}

const method = fc.constantFrom(
  "PUT",
  "PUT",
  "PUT",
  "POST",
  "POST",
  "POST",
  "DELETE",
  "GET",
  "HEAD",
  "PATCH",
  "OPTIONS",
);

function pathRequest(path: string, verb: string): GeneratedRequest {
  // Of a name that no other request has: a path alone must not make it inconsistent.
  const text = ["PUT", "POST"].includes(verb) ? "of_path 1\n" : "";
  return { method: verb, target: path, headers: [], body: text, text, kind: "path" };
}

type Encode = (request: GeneratedRequest) => GeneratedRequest;

const encode = (name: string, change: (body: Buffer) => Uint8Array): Encode => {
  return (request) => ({
    ...request,
    headers: [`Content-Encoding: ${name}`],
    body: change(Buffer.from(request.body as Uint8Array)),
  });
};
const typed = (type: string): Encode => {
  return (request) => ({ ...request, headers: [`Content-Type: ${type}`] });
};
const gzip = (body: Buffer) => Bun.gzipSync(body as Buffer<ArrayBuffer>);
const encoding: fc.Arbitrary<Encode> = fc.constantFrom(
  encode("gzip", gzip),
  encode("gzip", (body) => Buffer.concat([gzip(body), gzip(body)])),
  encode("gzip", (body) => gzip(body).subarray(0, -3)),
  encode("gzip", (body) => Buffer.concat([gzip(body), Buffer.from("rest")])),
  encode("gzip", (body) => body),
  encode("snappy", (body) => snappyFramed(body.toString())),
  encode("snappy", (body) => Buffer.from(snappyFramed(body.toString())).subarray(0, -1)),
  encode("snappy", (body) => body),
  encode("identity", (body) => body),
  encode("deflate", (body) => Bun.deflateSync(body as Buffer<ArrayBuffer>)),
  encode("br", (body) => body),
  typed("text/plain; version=0.0.4"),
  typed("application/x-www-form-urlencoded"),
  typed("application/openmetrics-text; version=1.0.0"),
  typed("application/json"),
  typed("application/vnd.google.protobuf"),
  typed("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=text"),
  typed("APPLICATION/VND.GOOGLE.PROTOBUF; Encoding=delimited; proto=io.prometheus.client.MetricFamily"),
  typed('application/vnd.google.protobuf; encoding="delimited"; proto="io.prometheus.client.MetricFamily"'),
  typed("application/vnd.google.protobuf; encoding=delimited; proto=io.prometheus.client.MetricFamily; proto=x"),
  typed("; ="),
);
