import { afterAll, beforeAll, expect, test } from "bun:test";
import { groupsOf, mergedGroups } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { chunked, largeTextBody, PROTOBUF_TYPE, protobufGauge, snappyFramed } from "../support/push-bodies.ts";
import { type Pushgateway, startPushgateway, startPushgateways } from "../support/pushgateway.ts";
import { type RawResponse, rawRequest } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";

type Version = "1.5.1" | "1.11.0";

interface Push {
  readonly what: string;
  /** `PUT /metrics/job/a HTTP/1.1`, or without the version, which then is this one. */
  readonly line: string;
  /** Header lines beside Host and Content-Length. */
  readonly headers?: readonly string[];
  readonly body?: string | Uint8Array;
  /** Whether the body brings its own framing. */
  readonly isFramed?: boolean;
  readonly status: number;
  /** A piece of the answer's text. */
  readonly text?: string;
  readonly only?: Version;
}

const GZIPPED = Bun.gzipSync("# TYPE z gauge\nz 1\n");

/** Each is sent to a Pushgateway and to the router; the answers, and then the groups, must be the same. */
const PUSHES: readonly Push[] = [
  { what: "a PUT", line: "PUT /metrics/job/put/a/1", body: "x 1\ny 2\n", status: 200 },
  { what: "a PUT that replaces", line: "PUT /metrics/job/put/a/1", body: "y 3\n", status: 200 },
  { what: "a POST", line: "POST /metrics/job/post/a/1", body: "x 1\n", status: 200 },
  { what: "a POST that adds", line: "POST /metrics/job/post/a/1", body: "y 2\n", status: 200 },
  { what: "a PUT to be deleted", line: "PUT /metrics/job/gone", body: "x 1\n", status: 200 },
  { what: "a DELETE", line: "DELETE /metrics/job/gone", status: 202 },
  { what: "a DELETE of nothing", line: "DELETE /metrics/job/never", status: 202 },
  { what: "a DELETE with a body", line: "DELETE /metrics/job/never", body: "x 1\n", status: 202 },
  { what: "an empty PUT", line: "PUT /metrics/job/empty_put", body: "", status: 200 },
  { what: "an empty POST", line: "POST /metrics/job/empty_post", body: "", status: 200 },
  { what: "an empty POST without a length", line: "POST /metrics/job/no_length", isFramed: true, status: 200 },
  { what: "job@base64", line: "PUT /metrics/job@base64/L2EvYg==/path@base64/L3Zhci90bXA", body: "x 1\n", status: 200 },
  { what: "percent-encoding", line: "PUT /metrics/job/a%20b%2520/l%61bel/%C3%BC%22", body: "x 1\n", status: 200 },
  { what: "an encoded slash", line: "PUT /metrics/job/split%2Fby/slash", body: "x 1\n", status: 200 },
  { what: "raw bytes beyond ASCII", line: "PUT /metrics/job/grüße/a/“b”", body: "x 1\n", status: 200 },
  { what: "a plus, a semicolon and a backslash", line: "PUT /metrics/job/a+b;c\\d", body: "x 1\n", status: 200 },
  { what: "an empty value", line: "PUT /metrics/job/a/instance@base64/=", body: "x 1\n", status: 200 },
  { what: "a query", line: "PUT /metrics/job/query?a=/b&%zz", body: "x 1\n", status: 200 },
  { what: "HTTP/1.0", line: "PUT /metrics/job/old HTTP/1.0", body: "x 1\n", status: 200 },
  {
    what: "an absolute target",
    line: "PUT http://elsewhere:1/metrics/job/absolute HTTP/1.1",
    body: "x 1\n",
    status: 200,
  },
  {
    what: "chunks",
    line: "PUT /metrics/job/chunks",
    headers: ["Transfer-Encoding: chunked"],
    body: chunked("x 1\ny 2\n", [1, 3, 2]),
    isFramed: true,
    status: 200,
  },
  {
    what: "chunks with extensions and trailers",
    line: "POST /metrics/job/trailers",
    headers: ["Transfer-Encoding: chunked", "Trailer: X-Sum"],
    body: '4;name="value"\r\nx 1\n\r\n000\r\nX-Sum: 1\r\n\r\n',
    isFramed: true,
    status: 200,
  },
  { what: "3 MB", line: "PUT /metrics/job/large", body: largeTextBody(3_000_000), status: 200 },
  {
    what: "3 MB in chunks",
    line: "PUT /metrics/job/large_chunks",
    headers: ["Transfer-Encoding: chunked"],
    body: chunked(largeTextBody(3_000_000), [70_000, 1, 20_000]),
    isFramed: true,
    status: 200,
  },
  {
    what: "protobuf",
    line: "PUT /metrics/job/protobuf",
    headers: [`Content-Type: ${PROTOBUF_TYPE}`],
    body: protobufGauge("from_protobuf", 1.5),
    status: 200,
  },
  { what: "gzip", line: "PUT /metrics/job/gzip", headers: ["Content-Encoding: gzip"], body: GZIPPED, status: 200 },
  {
    what: "snappy",
    line: "PUT /metrics/job/snappy",
    headers: ["Content-Encoding: snappy"],
    body: snappyFramed("# TYPE s gauge\ns 1\n"),
    status: 200,
    only: "1.11.0",
  },
  {
    what: "a body without a line end",
    line: "PUT /metrics/job/bad",
    body: "x 1",
    status: 400,
    text: "unexpected end of input stream",
  },
  { what: "a body that is no metric", line: "PUT /metrics/job/bad", body: "x\n", status: 400, text: "text format" },
  {
    what: "gzip cut short",
    line: "PUT /metrics/job/bad",
    headers: ["Content-Encoding: gzip"],
    body: GZIPPED.subarray(0, 20),
    status: 400,
    text: "unexpected EOF",
  },
  {
    what: "a DELETE that claims gzip",
    line: "DELETE /metrics/job/bad",
    headers: ["Content-Encoding: gzip"],
    status: 400,
    text: "EOF",
  },
  {
    what: "two series twice",
    line: "PUT /metrics/job/twice",
    body: "x 1\nx 2\ny 1\ny 2\n",
    status: 400,
    text: "collected before with the same name",
    only: "1.5.1",
  },
  {
    what: "timestamps",
    line: "PUT /metrics/job/stamped",
    body: "x 1 1000\n",
    status: 400,
    text: "pushed metrics must not have timestamps",
    only: "1.5.1",
  },
  {
    what: "a missing job",
    line: "PUT /metrics/job@base64/=",
    body: "x 1\n",
    status: 400,
    text: "job name is required",
  },
  { what: "half a label", line: "PUT /metrics/job/a/x", body: "x 1\n", status: 400, text: "odd number of components" },
  {
    what: "a bad label",
    line: "PUT /metrics/job/a/0x/1",
    body: "x 1\n",
    status: 400,
    text: 'improper label name "0x"',
  },
  { what: "bad base64", line: "DELETE /metrics/job/a/x@base64/*", status: 400, text: "illegal base64 data" },
];

function requestBytes({ line, headers = [], body, isFramed }: Push): Uint8Array {
  const bytes = Buffer.from(body === undefined ? "" : (body as Uint8Array));
  const lines = [
    / HTTP\/1\.\d$/.test(line) ? line : `${line} HTTP/1.1`,
    "Host: whatever",
    ...headers,
    ...(isFramed === true || body === undefined ? [] : [`Content-Length: ${bytes.length}`]),
  ];
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), bytes]);
}

/** Pushgateway lists several errors in any order. */
function described(answer: RawResponse) {
  return { status: answer.status, lines: answer.text().split("\n").sort(), type: answer.header("Content-Type") };
}

for (const version of ["1.5.1", "1.11.0"] as const) {
  await describeWithParts([`pushgateway-${version}`], `The router before three Pushgateways ${version}`, () => {
    let members: readonly Pushgateway[] = [];
    let reference: Pushgateway;
    let router: LocalRouter;

    beforeAll(async () => {
      members = await startPushgateways(3, { version });
      reference = await startPushgateway({ version });
      router = await LocalRouter.start(configOf(members));
    });

    afterAll(async () => {
      await router.stop();
      await Promise.all([reference, ...members].map((server) => server.stop()));
    });

    const pushes = PUSHES.filter(({ only }) => only === undefined || only === version);
    test.each(pushes.map((push) => [push.what, push] as const))("answers like one: %s", async (_what, push) => {
      const expected = await rawRequest(reference.address, requestBytes(push));
      const answer = await rawRequest(router.address, requestBytes(push));
      expect(described(answer)).toEqual(described(expected));
      expect(answer.status).toBe(push.status);
      expect(answer.text()).toContain(push.text ?? "");
    });

    test("has filed everything as one does, once", async () => {
      const isDeleted = async () => !(await groupsOf(reference.url)).has('{"job":"gone"}');
      await waitFor("the Pushgateway to carry out its DELETE", isDeleted);
      await waitFor("the members to hold what it holds", async () => {
        const { groups, doubled } = await mergedGroups(members.map(({ url }) => url));
        expect(doubled.size).toBe(0);
        expect(groups).toEqual(new Map([...(await groupsOf(reference.url))].sort()));
        expect(groups.size).toBeGreaterThan(15);
        return true;
      });
    });

    test.each([
      ["an empty part", "/metrics/job/a//b", 'an empty part ("//")'],
      ["an encoded empty part", "/metrics/job/a%2F%2Fb", 'an empty part ("//")'],
      ["dots", "/metrics/job/a/x/..", 'a part "." or ".."'],
      ["encoded dots", "/metrics/job/a/%2e/y", 'a part "." or ".."'],
      ["capitals", "/Metrics/job/a", "capital letters"],
    ])("says 400 where a Pushgateway redirects: %s", async (_what, target, text) => {
      const bytes = requestBytes({ what: "", line: `PUT ${target}`, body: "x 1\n", status: 400 });
      const direct = await rawRequest(reference.address, bytes);
      expect([301, 307]).toContain(direct.status);
      const answer = await rawRequest(router.address, bytes);
      expect(answer.status).toBe(400);
      expect(answer.text()).toContain(text);
    });

    test("says 400 to a group that would make every later push fail", async () => {
      const bytes = requestBytes({ what: "", line: "PUT /metrics/job/%ff", body: "x 1\n", status: 400 });
      const answer = await rawRequest(router.address, bytes);
      expect(answer.status).toBe(400);
      expect(answer.text()).toContain("not valid UTF-8");
    });
  });

  await describeWithParts([`pushgateway-${version}`], `The router before an unchecked Pushgateway ${version}`, () => {
    test("hands on its 202", async () => {
      await using member = await startPushgateway({ version, flags: ["--push.disable-consistency-check"] });
      await using router = await LocalRouter.start(configOf([member]));
      const push = { what: "", line: "PUT /metrics/job/a", body: "x 1 1000\n", status: 202 };
      const answer = await rawRequest(router.address, requestBytes(push));
      expect(described(answer)).toEqual(described(await rawRequest(member.address, requestBytes(push))));
      expect(answer.status).toBe(202);
    });
  });
}
