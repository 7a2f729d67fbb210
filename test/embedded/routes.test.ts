import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { type RawResponse, rawRequest } from "../support/raw-http.ts";
import { startRealAndOwn } from "./real-and-own.ts";

/** What both must answer alike. Of X-Content-Type-Options we have more. */
const COMPARED_HEADERS = [
  "allow",
  "location",
  "content-type",
  "content-encoding",
  "cache-control",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-expose-headers",
];

const GZIPPED_METRIC = Bun.gzipSync("x 1\n");

const GZIP = "Content-Encoding: gzip\r\n";
const SNAPPY = "Content-Encoding: snappy\r\n";

interface Variant {
  readonly headers?: string;
  readonly body?: string | Uint8Array;
}

async function send(address: string, method: string, target: string, variant: Variant): Promise<RawResponse> {
  const body = Buffer.from((variant.body ?? "") as string);
  const head = `${method} ${target} HTTP/1.1\r\nHost: h\r\n${variant.headers ?? ""}Content-Length: ${body.length}\r\n\r\n`;
  return await rawRequest(address, Buffer.concat([Buffer.from(head, "latin1"), body]));
}

function essence(response: RawResponse, hasBody: boolean) {
  const headers = COMPARED_HEADERS.map((name) => [name, response.header(name)]);
  return { status: response.status, headers: Object.fromEntries(headers), body: hasBody ? response.text() : undefined };
}

await describeWithParts(["pushgateway-1.11.0"], "the embedded Pushgateway answers as Pushgateway 1.11.0", () => {
  const pair = startRealAndOwn({ flags: ["--web.enable-admin-api"] });

  async function expectAlike(method: string, target: string, variant: Variant = {}, hasBody = true): Promise<void> {
    const theirs = await send(pair.real.address, method, target, variant);
    const ours = await send(pair.own.address, method, target, variant);
    expect(essence(ours, hasBody)).toEqual(essence(theirs, hasBody));
  }

  test.each([
    ["GET", "/-/healthy"],
    ["HEAD", "/-/healthy"],
    ["GET", "/-/healthy/"],
    ["POST", "/-/healthy"],
    ["GET", "/-/ready"],
    ["GET", "/-/quit"],
    ["PUT", "/-/quit"],
    ["POST", "/-/quit"],
    ["OPTIONS", "/-/quit"],
    ["GET", "/foo"],
    ["PUT", "/foo"],
    ["GET", "/metrics/"],
    ["GET", "/METRICS"],
    ["GET", "/METRICS?a=b"],
    ["PUT", "/metrics"],
    ["OPTIONS", "/metrics"],
    ["POST", "/status"],
    ["PUT", "/"],
    ["GET", "/Status"],
    ["GET", "/api/v1/metrics"],
    ["PUT", "/api/v1/metrics"],
    ["OPTIONS", "/api/v1/metrics"],
    ["OPTIONS", "/api/v1/foo"],
    ["GET", "/api/v1/foo"],
    ["PUT", "/api/v1/status"],
    ["HEAD", "/api/v1/status"],
    ["POST", "/api/v1/admin/wipe"],
    ["PUT", "/api/v1/admin/wipe"],
    ["GET", "//metrics"],
    ["GET", "/x/../metrics"],
    ["GET", "/./metrics?x=1&y=%20"],
  ])("%s %s", async (method, target) => {
    await expectAlike(method, target);
  });

  test.each([
    "/metrics/job",
    "/metrics/job/",
    "/metrics/job@base64",
    "/metrics/job@base64/",
    "/metrics/job/a",
    "/metrics/job/a/",
    "/metrics/job/a/b",
    "/metrics/job/a/b/c",
    "/metrics/job/a/b/",
    "/metrics/job/a/b/c?q=1",
    "/metrics/job/a/-/c",
    "/metrics/job@base64/YQ",
    "/metrics/job@base64/YQ=a",
    "/metrics/job@base64/=",
    "/metrics/job/a/b@base64/YQ==",
    "/metrics/job/a/b@base64/%%%",
    "/metrics//job/a",
    "/metrics/job//x/y",
    "/metrics/job/a//b",
    "/metrics/job/a%2F%2Fb",
    "/metrics/job/a%2fb/c",
    "/metrics/job/a/x/..",
    "/metrics/job/a/x/%2e%2e/y?z=%41",
    "/metrics/job/a%20(b)'!*/./c/d",
    "/metrics/job/a/./b",
    "/metrics/job/\xc3\xa9/x/../y",
    "/Metrics/Job/A/B/C",
    "/METRICS/JOB@BASE64/YQ?x=y",
    "/metr%69cs/job%40base64/YQ",
    "/metrics/jobs/a",
  ])("PUT, POST, DELETE, GET, PATCH and OPTIONS of %s", async (target) => {
    for (const method of ["PUT", "POST"]) await expectAlike(method, target, { body: "x 1\n" });
    for (const method of ["DELETE", "GET", "PATCH", "OPTIONS"]) await expectAlike(method, target);
  });

  test.each<[string, Variant]>([
    ["text", { body: "# TYPE x gauge\nx 1\n" }],
    ["nothing", {}],
    ["text without an end of line", { body: "x 1" }],
    ["curl's form type", { body: "x 1\n", headers: "Content-Type: application/x-www-form-urlencoded\r\n" }],
    ["protobuf that is none", { body: "x 1\n", headers: `Content-Type: ${"application/vnd.google.protobuf"}\r\n` }],
    ["gzip", { body: GZIPPED_METRIC, headers: "Content-Encoding: GZIP\r\n" }],
    ["gzip in two members", { body: Buffer.concat([GZIPPED_METRIC, Bun.gzipSync("y 1\n")]), headers: GZIP }],
    ["gzip of nothing", { headers: GZIP }],
    ["gzip that is none", { body: "hello hello", headers: GZIP }],
    ["gzip with the wrong magic", { body: "hello hello hello", headers: GZIP }],
    ["gzip cut short", { body: GZIPPED_METRIC.subarray(0, 16), headers: GZIP }],
    ["deflate, which is not decoded", { body: Bun.deflateSync("x 1\n"), headers: "Content-Encoding: deflate\r\n" }],
    ["zstd, which is not decoded", { body: "x 1\n", headers: "Content-Encoding: zstd\r\n" }],
    ["snappy of nothing", { headers: SNAPPY }],
    ["snappy that is none", { body: "hello", headers: SNAPPY }],
    ["snappy without a checksum", { body: Buffer.from("\xff\x06\0\0sNaPpY\x01\x02\0\0ab", "latin1"), headers: SNAPPY }],
    ["snappy cut short", { body: Buffer.from("\xff\x06\0\0sNaPpY\x01\x12\0\0ab", "latin1"), headers: SNAPPY }],
    ["snappy cut in its first words", { body: Buffer.from("\xff\x06\0\0sNa", "latin1"), headers: SNAPPY }],
    ["snappy of an unknown kind", { body: Buffer.from("\xff\x06\0\0sNaPpY\x02\x01\0\0a", "latin1"), headers: SNAPPY }],
    ["snappy to skip", { body: Buffer.from("\xff\x06\0\0sNaPpY\x80\x01\0\0a", "latin1"), headers: SNAPPY }],
  ])("PUT of %s", async (_, variant) => {
    await expectAlike("PUT", "/metrics/job/bodies", variant);
  });

  test.each([
    ["", ""],
    ["*/*", ""],
    ["text/plain;version=0.0.4", "gzip"],
    ["text/plain;version=1.0.0", "gzip;q=0"],
    ["application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "identity, gzip;q=0.5"],
    ["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", "gzip"],
    ["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,text/plain", ""],
    ["text/plain;q=0.5,application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited", ""],
    ["application/vnd.google.protobuf;proto=other;encoding=delimited", "br, deflate"],
    ["text/html,text/plain;q=0.1", "*"],
    ["nonsense;;=", "nonsense;;="],
    ["application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5", ""],
    ["text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.5", ""],
    ["text/plain;version=0.0.4;escaping=nonsense", ""],
  ])("GET /metrics for Accept %j and Accept-Encoding %j", async (accept, encoding) => {
    const headers = `Accept: ${accept}\r\nAccept-Encoding: ${encoding}\r\n`;
    await expectAlike("GET", "/metrics", { headers }, false);
  });
});

await describeWithParts(
  ["pushgateway-1.11.0"],
  "under a prefix, the embedded Pushgateway answers as Pushgateway 1.11.0",
  () => {
    const pair = startRealAndOwn(
      {
        flags: ["--web.route-prefix=/a/pg", "--web.telemetry-path=/own"],
        readyPath: "/a/pg/-/ready",
      },
      { routePrefix: "/a/pg", telemetryPath: "/own", enableAdminApi: false },
    );

    test.each([
      ["GET", "/a/pg/-/healthy"],
      ["GET", "/-/healthy"],
      ["GET", "/a/pg/-/quit"],
      ["PUT", "/a/pg/-/quit"],
      ["GET", "/a/pg"],
      ["GET", "/"],
      ["GET", "/a"],
      ["PUT", "/a/pg/metrics/job/j/l/v"],
      ["PUT", "/a/pg/metr%69cs/job/j"],
      ["PUT", "/%61/pg/metrics/job/j"],
      ["PUT", "/metrics/job/j"],
      ["PUT", "/a/pg/metrics/job"],
      ["PUT", "/a/pg/metrics/job/"],
      ["PUT", "/a/pg//metrics/job/j?x=y"],
      ["PUT", "/A/PG/metrics/job/J"],
      ["DELETE", "/a/pg/metrics/job/j"],
      ["GET", "/a/pg/metrics/job/j"],
      ["GET", "/a/pg/metrics"],
      ["HEAD", "/a/pg/own"],
      ["POST", "/a/pg/own"],
      ["GET", "/a/pg/OWN/"],
      ["GET", "/own"],
      ["GET", "/api/v1/status"],
      ["HEAD", "/a/pg/api/v1/status"],
      ["OPTIONS", "/a/pg/api/v1/anything"],
      ["OPTIONS", "/api/v1/status"],
      ["PUT", "/a/pg/api/v1/admin/wipe"],
    ])("%s %s", async (method, target) => {
      const theirs = await send(pair.real.address, method, target, {});
      const ours = await send(pair.own.address, method, target, {});
      expect(essence(ours, true)).toEqual(essence(theirs, true));
    });
  },
);
