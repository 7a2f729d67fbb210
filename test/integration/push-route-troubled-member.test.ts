import { afterEach, describe, expect, test } from "bun:test";
import { FakePushgateway, type PushScript } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import type { ReceivedPush } from "../support/received-push.ts";
import { waitFor } from "../support/wait-for.ts";

const PUT = "PUT /metrics/job/a HTTP/1.1\r\nHost: router\r\nContent-Length: 4\r\n\r\nx 1\n";

interface Scene {
  readonly router: LocalRouter;
  readonly owner: FakePushgateway;
  /** Would get what is failed over. */
  readonly next: FakePushgateway;
  /** Of the owner. */
  readonly path: string;
}

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function startScene(script: PushScript = {}, limits: Readonly<Record<string, unknown>> = {}): Promise<Scene> {
  const owner = resources.use(await FakePushgateway.start());
  const next = resources.use(await FakePushgateway.start());
  const router = resources.use(await LocalRouter.start(configOf([owner, next], { limits })));
  owner.script = script;
  return { router, owner, next, path: await router.pathOwnedBy(owner.address) };
}

async function statesOf(router: LocalRouter): Promise<readonly string[]> {
  const { data } = (await (await router.get("/api/v1/members")).json()) as { data: { members: { state: string }[] } };
  return data.members.map(({ state }) => state);
}

async function failures(router: LocalRouter, reason: string): Promise<number> {
  const metrics = [...(await router.metrics())];
  const ofReason = metrics.filter(([name]) => name.startsWith("dynamic_sharding_upstream_failures_total{"));
  return ofReason.filter(([name]) => name.includes(`reason="${reason}"`)).reduce((sum, [, value]) => sum + value, 0);
}

describe("A member that hangs but answers health checks", () => {
  const LIMITS = { request_timeout: "800ms", stall_timeout: "200ms" };

  test("is waited for, until the deadline, and keeps its groups", async () => {
    const { router, next, path } = await startScene({ onPush: () => {} }, LIMITS);
    const answer = await router.push(path);
    expect(answer.status).toBe(504);
    expect(await answer.text()).toMatch(/^Cannot push to 127\.0\.0\.1:\d+: no answer within 800 ms\n$/);
    expect(next.pushes).toEqual([]);
    expect(await statesOf(router)).toEqual(["active", "active"]);
  });

  test("may answer as late as that", async () => {
    const { router, owner, next, path } = await startScene({ onPush: () => {} }, { stall_timeout: "100ms" });
    const pushed = router.push(path);
    // The push has stalled for long when the third connection comes: its own, the one of the first check, and the probe.
    const probed = owner.accepted + 2;
    await waitFor("the member to be probed", () => owner.accepted >= probed);
    owner.latest.respond(200, "late");
    expect(await (await pushed).text()).toBe("late");
    expect(next.pushes).toEqual([]);
  });

  test("is not made to file a push that was given up", async () => {
    const { router, owner, path } = await startScene({ onPush: () => {} }, LIMITS);
    expect((await router.push(path)).status).toBe(504);
    await owner.latest.closed;
  });

  test("leaves an answer that has begun unfinished for its client, too", async () => {
    const script = { onPush: (push: ReceivedPush) => push.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") };
    const { router, path } = await startScene(script, LIMITS);
    await using client = await RawConnection.open(router.address);
    await client.write(PUT.replace("/metrics/job/a", path));
    await expect(client.readResponse()).rejects.toThrow("half");
  });
});

describe("A member that takes only so many pushes at a time", () => {
  test("gets the others one after the other", async () => {
    const held: ReceivedPush[] = [];
    const limits = { max_in_flight_per_member: 2 };
    const { router, owner, path } = await startScene({ onPush: (push) => held.push(push) }, limits);
    const pushes = Array.from({ length: 10 }, () => router.push(path));
    let most = 0;
    for (let answered = 0; answered < pushes.length; answered++) {
      await waitFor("a push", () => held.length > 0);
      most = Math.max(most, held.length);
      held.shift()?.respond();
    }
    expect((await Promise.all(pushes)).map(({ status }) => status)).toEqual(pushes.map(() => 200));
    expect(most).toBeLessThanOrEqual(2);
    expect(owner.pushes.length).toBe(10);
  });

  test("is spared more than may wait for it, which are told 503", async () => {
    const limits = { max_in_flight_per_member: 1, max_queued_per_member: 2 };
    const held: ReceivedPush[] = [];
    const { router, next, path } = await startScene({ onPush: (push) => held.push(push) }, limits);
    const waiting: Promise<Response>[] = [];
    for (let i = 0; i < 3; i++) {
      waiting.push(router.push(path));
      const key = /^dynamic_sharding_upstream_in_flight/;
      const inFlight = async () => [...(await router.metrics())].filter(([name]) => key.test(name));
      await waitFor("it to be in flight", async () => (await inFlight()).some(([, value]) => value === i + 1));
    }
    const answer = await router.push(path);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("1");
    expect(await answer.text()).toMatch(/^Cannot push to (\S+): 2 pushes already wait for \1\n$/);
    expect(await failures(router, "overloaded")).toBe(1);
    for (let i = 0; i < 3; i++) {
      await waitFor("a push", () => held.length > 0);
      held.shift()?.respond();
    }
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(next.pushes).toEqual([]);
  });

  test("does not keep a place for clients that have left", async () => {
    const limits = { max_in_flight_per_member: 1, max_queued_per_member: 1 };
    const held: ReceivedPush[] = [];
    const { router, owner, path } = await startScene({ onPush: (push) => held.push(push) }, limits);
    const first = router.push(path);
    await waitFor("the first push", () => held.length === 1);
    const request = `PUT ${path} HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n`;
    for (let i = 0; i < 5; i++) {
      await using client = await RawConnection.open(router.address);
      await client.write(request + "x".repeat(2_000_000));
      const key = `dynamic_sharding_upstream_in_flight{member="${owner.address}"}`;
      await waitFor("it to wait", async () => (await router.metrics()).get(key) === 2);
      client.abort();
      await waitFor("it to be gone", async () => (await router.metrics()).get(key) === 1);
    }
    held.shift()?.respond();
    expect((await first).status).toBe(200);
    owner.script = {};
    expect((await router.push(path)).status).toBe(200);
  });
});

describe("A member that closes its idle connections", () => {
  test("at the moment of a push gets it on another one", async () => {
    const { router, owner, path } = await startScene();
    for (let round = 0; round < 20; round++) {
      expect((await router.push(path)).status).toBe(200);
      const pooled = owner.latest;
      owner.script = {
        onHead: (push) => {
          owner.script = {};
          if (round % 2 === 0) push.close();
          else push.reset();
        },
        onPush: () => {},
      };
      expect((await router.push(path)).status).toBe(200);
      await pooled.closed;
    }
    expect(await failures(router, "dropped")).toBe(0);
    expect(await statesOf(router)).toEqual(["active", "active"]);
  });

  test("before a push is not noticed by anybody", async () => {
    const { router, owner, path } = await startScene();
    for (let round = 0; round < 20; round++) {
      const pushes = await Promise.all(Array.from({ length: 10 }, () => router.push(path)));
      expect(pushes.map(({ status }) => status)).toEqual(pushes.map(() => 200));
      owner.closeConnections();
    }
  });
});

describe("A member that drops a push", () => {
  test.each([
    ["closes", (push: ReceivedPush) => push.close()],
    ["resets", (push: ReceivedPush) => push.reset()],
  ])("and %s the connection, but lives: 502 with a hint, no fail-over, no ejection", async (_, drop) => {
    const { router, owner, next, path } = await startScene({ onPush: drop });
    const answer = await router.push(path);
    expect(answer.status).toBe(502);
    expect(await answer.text()).toMatch(
      /^127\.0\.0\.1:\d+ closed the connection without an answer \(.+\)\. Pushgateway 1\.11\.0 does this/,
    );
    expect(owner.pushes.length).toBe(2);
    expect(next.pushes).toEqual([]);
    expect(await statesOf(router)).toEqual(["active", "active"]);
    owner.script = {};
    expect((await rawRequest(router.address, PUT.replace("/metrics/job/a", path))).status).toBe(200);
  });

  test("and is gone: the next one gets it", async () => {
    const { router, owner, next, path } = await startScene();
    await router.push(path);
    owner.script = {
      onPush: (push) => {
        owner.stopListening();
        push.reset();
      },
    };
    expect((await router.push(path)).status).toBe(200);
    expect(next.pushes.length).toBe(1);
  });

  test("and answers nothing any more: the next one gets it", async () => {
    const { router, owner, next, path } = await startScene({}, { stall_timeout: "200ms" });
    owner.answersProbes = false;
    owner.script = { onPush: (push) => push.reset() };
    expect((await router.push(path)).status).toBe(200);
    expect(owner.pushes.length).toBe(2);
    expect(next.pushes.length).toBe(1);
    expect(await failures(router, "dead")).toBe(1);
  });
});
