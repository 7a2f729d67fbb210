import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { RawConnection } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";

/** Of a body beyond a KiB, what comes is streamed; a shorter one is gathered. */
const LIMITS = { max_buffered_body_bytes: "1KiB" };
const STREAMED_BYTES = 20_000;

/** The first part of a body whose rest never comes: whole lines, so that nothing but the framing tells that it is not all. */
function partOf(framing: string, bytes: number): string {
  const lines = "x 2\n".repeat(bytes / 4);
  return framing.startsWith("Content") ? lines : `${lines.length.toString(16)}\r\n${lines}\r\n`;
}

interface Abort {
  readonly how: string;
  readonly framing: string;
  /** Of the body, before the client goes. */
  readonly bytes: number;
  readonly go: (client: RawConnection) => void;
}

const ABORTS: readonly Abort[] = [
  { framing: "Content-Length: 800", bytes: 400 },
  { framing: "Content-Length: 1000000", bytes: STREAMED_BYTES },
  { framing: "Transfer-Encoding: chunked", bytes: 400 },
  { framing: "Transfer-Encoding: chunked", bytes: STREAMED_BYTES },
].flatMap((part) => [
  { ...part, how: "closes its half", go: (client: RawConnection) => client.end() },
  { ...part, how: "resets", go: (client: RawConnection) => client.abort() },
]);

function name({ how, framing, bytes }: Abort): string {
  return `${how} after ${bytes} bytes of ${framing}`;
}

async function abortedPushes(router: LocalRouter): Promise<number> {
  const metrics = await router.metrics();
  return metrics.get('dynamic_sharding_pushes_total{mode="proxy",outcome="aborted"}') ?? 0;
}

/** Sends a part of a push, goes away, and returns when the router has noticed. */
async function abort(router: LocalRouter, path: string, { framing, bytes, go }: Abort, before: () => Promise<unknown>) {
  const aborted = await abortedPushes(router);
  await using client = await RawConnection.open(router.address);
  await client.write(`PUT ${path} HTTP/1.1\r\nHost: router\r\n${framing}\r\n\r\n${partOf(framing, bytes)}`);
  await before();
  go(client);
  await waitFor("the router to notice", async () => (await abortedPushes(router)) > aborted);
}

describe("A client that leaves in the middle of a body", () => {
  let member: FakePushgateway;
  let router: LocalRouter;

  beforeAll(async () => {
    member = await FakePushgateway.start();
    router = await LocalRouter.start(configOf([member], { limits: LIMITS }));
  });

  afterAll(async () => {
    await router.stop();
    await member[Symbol.asyncDispose]();
  });

  test.each(ABORTS.map((each) => [name(each), each] as const))("%s: no member sees a whole push", async (_, each) => {
    const before = member.pushes.length;
    const isStreamed = each.bytes === STREAMED_BYTES;
    await abort(router, "/metrics/job/a", each, async () => {
      if (isStreamed) await waitFor("the part to arrive", () => member.pushes[before]?.bodyBytes === each.bytes);
    });
    await member.pushes[before]?.closed;
    expect(member.pushes.slice(before).map(({ isComplete }) => isComplete)).toEqual(isStreamed ? [false] : []);
  });
});

await describeWithParts(["pushgateway-1.11.0", "pushgateway-1.5.1"], "An aborted push", () => {
  for (const version of ["1.5.1", "1.11.0"] as const) {
    describe(`to a Pushgateway ${version}`, () => {
      let member: Pushgateway;
      let router: LocalRouter;

      beforeAll(async () => {
        member = await startPushgateway({ version });
        router = await LocalRouter.start(configOf([member], { limits: LIMITS }));
      });

      afterAll(async () => {
        await router.stop();
        await member.stop();
      });

      test.each(ABORTS.map((each) => [name(each), each] as const))("changes nothing: %s", async (_, each) => {
        expect((await router.push("/metrics/job/a", "x 1\n")).status).toBe(200);
        const before = (await groupsOf(member.url)).get('{"job":"a"}');
        await abort(router, "/metrics/job/a", each, async () => {});
        // Gives the Pushgateway the time to do wrong: it files this one after whatever it made of the other.
        expect((await router.push("/metrics/job/barrier")).status).toBe(200);
        expect((await groupsOf(member.url)).get('{"job":"a"}')).toEqual(before);
      });
    });
  }
});

describe("A client that leaves after its last byte", () => {
  let member: FakePushgateway;
  let router: LocalRouter;
  const sizes = [
    ["short", "x 1\n"],
    ["streamed", "x 1\n".repeat(500)],
  ] as const;

  beforeAll(async () => {
    member = await FakePushgateway.start();
    router = await LocalRouter.start(configOf([member], { limits: LIMITS }));
  });

  afterAll(async () => {
    await router.stop();
    await member[Symbol.asyncDispose]();
  });

  async function openPush(body: string): Promise<RawConnection> {
    const client = await RawConnection.open(router.address);
    const before = member.pushes.length;
    await client.write(`PUT /metrics/job/a HTTP/1.1\r\nHost: r\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await waitFor("the member to have the push", () => member.pushes[before]?.isComplete);
    return client;
  }

  test.each(sizes)("for sending only still gets its answer: a %s body", async (_, body) => {
    member.script = { onPush: () => {} };
    await using client = await openPush(body);
    client.end();
    // The router has seen the end once it answers something that was sent later.
    await router.get("/-/healthy");
    member.latest.respond(200, "done");
    const answer = await client.readResponse();
    expect([answer.status, answer.text()]).toEqual([200, "done"]);
    expect(await client.ending()).toBe("closed");
  });

  test.each(sizes)("altogether has pushed: a %s body", async (_, body) => {
    member.script = { onPush: () => {} };
    const key = 'dynamic_sharding_pushes_total{mode="proxy",outcome="delivered"}';
    const delivered = async () => (await router.metrics()).get(key) ?? 0;
    const before = await delivered();
    await using client = await openPush(body);
    client.abort();
    const connections = async () => (await router.metrics()).get("dynamic_sharding_client_connections");
    await waitFor("the router to notice", async () => (await connections()) === 1);
    member.latest.respond();
    await waitFor("the push to be delivered", async () => (await delivered()) === before + 1);
  });

  test("before its answer does not stop the next member from getting the push", async () => {
    await using other = await FakePushgateway.start();
    await using both = await LocalRouter.start(configOf([member, other], { limits: LIMITS }));
    const path = await both.pathOwnedBy(other.address);
    member.script = {};
    other.script = { onPush: () => {} };
    const before = member.pushes.length;
    await using client = await RawConnection.open(both.address);
    await client.write(`PUT ${path} HTTP/1.1\r\nHost: r\r\nContent-Length: 4\r\n\r\nx 1\n`);
    await waitFor("the owner to have the push", () => other.pushes[0]?.isComplete);
    client.abort();
    other.stopListening();
    other.latest.reset();
    await waitFor("the next member to have it", () => member.pushes[before]?.isComplete);
    expect(member.latest.body).toBe("x 1\n");
  });
});
