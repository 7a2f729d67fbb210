import { afterEach, describe, expect, test } from "bun:test";
import { FakePushgateway, type PushScript } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { chunked } from "../support/push-bodies.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import type { ReceivedPush } from "../support/received-push.ts";
import { waitFor } from "../support/wait-for.ts";

/** Bodies beyond a KiB are streamed. */
const LIMITS = { max_buffered_body_bytes: "1KiB" };
const TIGHT = { request_timeout: "500ms", stall_timeout: "500ms" };
const FIRST = "f".repeat(2_000);
const REST = "r".repeat(2_000);

function head(path: string, framing: string): string {
  return `PUT ${path} HTTP/1.1\r\nHost: router\r\n${framing}\r\n\r\n`;
}

interface Cluster {
  readonly router: LocalRouter;
  readonly owner: FakePushgateway;
  readonly next: FakePushgateway;
  /** A push path of the owner, after which `next` comes. */
  readonly path: string;
}

describe("A body that is streamed", () => {
  let resources = new AsyncDisposableStack();

  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });

  async function startCluster(
    owner: PushScript = {},
    limits: Readonly<Record<string, unknown>> = {},
  ): Promise<Cluster> {
    const members = [await FakePushgateway.start(), await FakePushgateway.start()] as const;
    for (const member of members) resources.use(member);
    const router = resources.use(await LocalRouter.start(configOf(members, { limits: { ...LIMITS, ...limits } })));
    members[0].script = owner;
    return { router, owner: members[0], next: members[1], path: await router.pathOwnedBy(members[0].address) };
  }

  async function openClient(router: LocalRouter): Promise<RawConnection> {
    return resources.use(await RawConnection.open(router.address));
  }

  test("reaches the member before the client has sent all of it", async () => {
    const { router, owner, path } = await startCluster();
    const client = await openClient(router);
    void client.write(head(path, "Content-Length: 4000") + FIRST);
    await waitFor("the first half to arrive", () => owner.pushes[0]?.bodyBytes === FIRST.length);
    void client.write(REST);
    expect((await client.readResponse()).status).toBe(200);
    expect(owner.latest.body).toBe(FIRST + REST);
  });

  test("is cut nowhere, however it is chunked", async () => {
    const { router, owner, path } = await startCluster();
    for (const sizes of [[1_024, 1], [1_025], [1, 2_000, 3], [4_000]]) {
      const request = Buffer.concat([
        Buffer.from(head(path, "Transfer-Encoding: chunked")),
        chunked(FIRST + REST, sizes),
      ]);
      expect((await rawRequest(router.address, request)).status).toBe(200);
      expect(owner.latest.body).toBe(FIRST + REST);
    }
  });

  test("goes to the next member when the owner cannot be reached", async () => {
    const { router, owner, next, path } = await startCluster();
    owner.stopListening();
    const request = head(path, "Content-Length: 4000") + FIRST + REST;
    expect((await rawRequest(router.address, request)).status).toBe(200);
    expect(next.latest.body).toBe(FIRST + REST);
  });

  test("goes to the next member when the owner dies before more of it than is kept was sent", async () => {
    const { router, owner, next, path } = await startCluster();
    owner.script = {
      onHead: (push) => {
        owner.stopListening();
        push.reset();
      },
    };
    const client = await openClient(router);
    void client.write(`${head(path, "Transfer-Encoding: chunked")}7d0\r\n${FIRST}\r\n`);
    await waitFor("the next member to be asked", () => next.pushes.length > 0);
    void client.write(`7d0\r\n${REST}\r\n0\r\n\r\n`);
    expect((await client.readResponse()).status).toBe(200);
    expect(next.latest.body).toBe(FIRST + REST);
  });

  test("goes to the next member when the owner dies that has all of it, and no more than is kept", async () => {
    const { router, owner, next, path } = await startCluster();
    owner.script = {
      onPush: (push) => {
        owner.stopListening();
        push.reset();
      },
    };
    const request = Buffer.concat([Buffer.from(head(path, "Transfer-Encoding: chunked")), chunked(FIRST)]);
    expect((await rawRequest(router.address, request)).status).toBe(200);
    expect(owner.latest.body).toBe(FIRST);
    expect(next.latest.body).toBe(FIRST);
  });

  test("is never filed with a hole in it when connections are lost while the client sends", async () => {
    const { router, owner, path } = await startCluster();
    const pieces = Array.from({ length: 20 }, (_, i) => `${i % 10}`);
    for (let round = 0; round < 20; round++) {
      const client = await openClient(router);
      const onHead = async (push: ReceivedPush) => {
        owner.script = {};
        push.reset();
        // The router and the member share the event loop of this test, so its turns are what orders their steps.
        for (let turns = round % 4; turns > 0; turns--) await Bun.sleep(0);
        for (const piece of pieces) {
          void client.write(`1\r\n${piece}\r\n`);
          await Bun.sleep(0);
        }
        void client.write("0\r\n\r\n");
      };
      owner.script = { onHead: (push) => void onHead(push) };
      void client.write(`${head(path, "Transfer-Encoding: chunked")}7d0\r\n${FIRST}\r\n`);
      expect([200, 502]).toContain((await client.readResponse()).status);
    }
    const filed = owner.pushes.filter(({ isComplete }) => isComplete).map(({ body }) => body);
    expect(filed.filter((body) => body !== FIRST + pieces.join(""))).toEqual([]);
  });

  test("is lost with an owner that dies in the middle, and the client is told", async () => {
    const { router, owner, next, path } = await startCluster();
    owner.script = {
      onHead: (push) => {
        void waitFor("more than is kept", () => push.bodyBytes > FIRST.length).then(() => {
          owner.stopListening();
          push.reset();
        });
      },
    };
    const client = await openClient(router);
    void client.write(head(path, "Content-Length: 6000") + FIRST);
    await waitFor("the owner to be asked", () => owner.pushes.length > 0);
    void client.write(REST);
    const answer = await client.readResponse();
    expect(answer.status).toBe(502);
    expect(answer.text()).toContain(`Cannot push to ${owner.address}`);
    expect(answer.text()).toContain("not kept for another member");
    expect(next.pushes).toEqual([]);
  });

  test("holds the client back while the member takes no more, and gives up at the deadline", async () => {
    const { router, owner, path } = await startCluster({ onHead: (push) => push.stopReading() }, TIGHT);
    const client = await openClient(router);
    const whole = 40_000_000;
    void client.write(head(path, `Content-Length: ${whole}`));
    void client.write(Buffer.alloc(whole, "x"));
    const answer = await client.readResponse();
    expect(answer.status).toBe(504);
    expect(answer.text()).toContain(`Cannot push to ${owner.address}: no answer within 500 ms`);
    expect(owner.latest.bodyBytes).toBeLessThan(whole / 2);
  });

  test("can be any body where none is kept", async () => {
    const { router, owner, path } = await startCluster({}, { max_buffered_body_bytes: 0 });
    const request = `${head(path, "Content-Length: 4")}x 1\n`;
    expect((await rawRequest(router.address, request)).status).toBe(200);
    expect(owner.latest.body).toBe("x 1\n");
    expect((await rawRequest(router.address, head(path, "Content-Length: 0"))).status).toBe(200);
    expect((await rawRequest(router.address, request.replace("PUT", "DELETE"))).status).toBe(200);
    expect(owner.latest.requestLine).toStartWith("DELETE ");
  });

  test("may be answered before it is whole", async () => {
    const { router, path } = await startCluster({ onHead: (push) => push.respond(413, "too much") });
    const client = await openClient(router);
    void client.write(head(path, "Content-Length: 50000000") + FIRST);
    const answer = await client.readResponse();
    expect([answer.status, answer.text(), answer.header("Connection")]).toEqual([413, "too much", "close"]);
    void client.write(REST);
    expect(await client.ending()).toBe("closed");
  });

  test("that came before discovery was ready is not forgotten", async () => {
    const member = resources.use(await FakePushgateway.start());
    member.answersProbes = false;
    const config = configOf([member], { limits: LIMITS, health_check: { interval: "10s", timeout: "5s" } });
    const router = resources.use(await LocalRouter.start(config, { untilReady: false }));
    const client = await openClient(router);
    await client.write(head("/metrics/job/a", "Content-Length: 2000") + FIRST);
    const connections = async () => (await router.metrics()).get("dynamic_sharding_client_connections");
    await waitFor("the router to have the push", async () => ((await connections()) ?? 0) > 1);
    member.answersProbes = true;
    expect((await client.readResponse()).status).toBe(200);
    expect(member.latest.body).toBe(FIRST);
  });
});
