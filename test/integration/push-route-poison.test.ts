import { afterEach, describe, expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { chunked, DEADLY_PROTOBUF, PROTOBUF_SPELLINGS, PROTOBUF_TYPE, protobufGauge } from "../support/push-bodies.ts";
import { type RawResponse, rawRequest } from "../support/raw-http.ts";

const GAUGE = protobufGauge("x", 1);
/** Bodies beyond this are streamed. */
const KEPT_BYTES = 1_024;
const LONG = Buffer.concat(Array.from({ length: 200 }, () => GAUGE));

interface Cluster {
  readonly router: LocalRouter;
  readonly members: readonly FakePushgateway[];
}

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function startCluster(): Promise<Cluster> {
  const members = [await FakePushgateway.start(), await FakePushgateway.start(), await FakePushgateway.start()];
  for (const member of members) resources.use(member);
  const limits = { max_buffered_body_bytes: `${KEPT_BYTES}` };
  return { router: resources.use(await LocalRouter.start(configOf(members, { limits }))), members };
}

const FRAMINGS = {
  "with a length": (body: Uint8Array) => [`Content-Length: ${body.length}`, body] as const,
  "in chunks": (body: Uint8Array) => ["Transfer-Encoding: chunked", chunked(body, [700])] as const,
};

async function push(
  { router }: Cluster,
  [framing, body]: readonly [string, Uint8Array],
  headers: readonly string[] = [`Content-Type: ${PROTOBUF_TYPE}`],
  method = "PUT",
): Promise<RawResponse> {
  const head = [`${method} /metrics/job/a HTTP/1.1`, "Host: router", ...headers, framing, "", ""].join("\r\n");
  return await rawRequest(router.address, Buffer.concat([Buffer.from(head), body]));
}

function pushesOf({ members }: Cluster) {
  return members.flatMap(({ pushes }) => pushes);
}

describe("A push in protobuf", () => {
  for (const [name, framed] of Object.entries(FRAMINGS)) {
    test.each([
      ["its first message", DEADLY_PROTOBUF, "34359738367"],
      ["a later message", Buffer.concat([GAUGE, DEADLY_PROTOBUF]), "34359738367"],
      ["its last message, a byte short", GAUGE.subarray(0, -1), String(GAUGE.length - 1)],
    ])(
      `that claims more than it holds for %s is answered 400 ${name}, and no member sees it`,
      async (_, body, claim) => {
        const cluster = await startCluster();
        const answer = await push(cluster, framed(body));
        expect(answer.status).toBe(400);
        expect(answer.text()).toStartWith(`Cannot push: a message in the protobuf body claims ${claim} bytes, and `);
        expect(pushesOf(cluster)).toEqual([]);
        const metrics = await cluster.router.metrics();
        expect(metrics.get('dynamic_sharding_pushes_total{mode="proxy",outcome="refused"}')).toBe(1);
      },
    );

    test(`passes untouched ${name}, gathered or streamed`, async () => {
      const cluster = await startCluster();
      for (const body of [GAUGE, Buffer.concat([GAUGE, GAUGE]), LONG]) {
        expect((await push(cluster, framed(body))).status).toBe(200);
        expect(pushesOf(cluster).at(-1)?.body).toBe(Buffer.from(body).toString("latin1"));
      }
    });

    test(`that is streamed ${name} is cut off before such a claim`, async () => {
      const cluster = await startCluster();
      expect((await push(cluster, framed(Buffer.concat([LONG, DEADLY_PROTOBUF])))).status).toBe(400);
      for (const received of pushesOf(cluster)) {
        await received.closed;
        expect(received.isComplete).toBe(false);
        expect(received.body).not.toContain("\xff");
      }
    });
  }

  test.each(PROTOBUF_SPELLINGS)("is known by every spelling that Go reads: %s", async (type) => {
    const cluster = await startCluster();
    expect((await push(cluster, FRAMINGS["with a length"](DEADLY_PROTOBUF), [`Content-Type: ${type}`])).status).toBe(
      400,
    );
    expect(pushesOf(cluster)).toEqual([]);
  });

  test("whose encoding hides what it claims costs one member at most", async () => {
    const cluster = await startCluster();
    for (const member of cluster.members) {
      member.script = {
        onPush: (received) => {
          member.stopListening();
          received.reset();
        },
      };
    }
    const headers = [`Content-Type: ${PROTOBUF_TYPE}`, "Content-Encoding: gzip"];
    const answer = await push(cluster, FRAMINGS["with a length"](gzipSync(DEADLY_PROTOBUF)), headers);
    expect(answer.status).toBe(502);
    expect(answer.text()).toContain("It may have died of this body");
    expect(cluster.members.filter(({ pushes }) => pushes.length > 0)).toHaveLength(1);
  });

  test("whose encoding hides what it claims goes to the next member when the owner was dead before", async () => {
    const cluster = await startCluster();
    const owner = (await cluster.router.ownersOf("/metrics/job/a")).owner;
    cluster.members.find(({ address }) => address === owner)?.stopListening();
    const headers = [`Content-Type: ${PROTOBUF_TYPE}`, "Content-Encoding: snappy"];
    expect((await push(cluster, FRAMINGS["with a length"](GAUGE), headers)).status).toBe(200);
  });
});

describe("A push that Pushgateway does not read as delimited protobuf passes whatever it holds", () => {
  test.each([
    ["without a type", [], "PUT"],
    ["as text", ["Content-Type: text/plain; version=0.0.4"], "PUT"],
    ["as protobuf of another kind", [`Content-Type: ${PROTOBUF_TYPE.replace("delimited", "text")}`], "PUT"],
    ["of a DELETE", [`Content-Type: ${PROTOBUF_TYPE}`], "DELETE"],
  ])("%s", async (_, headers, method) => {
    const cluster = await startCluster();
    await push(cluster, FRAMINGS["with a length"](DEADLY_PROTOBUF), headers, method);
    expect(pushesOf(cluster).map(({ bodyBytes }) => bodyBytes)).toContain(DEADLY_PROTOBUF.length);
  });
});
