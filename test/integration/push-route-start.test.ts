import { afterEach, describe, expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { freePort } from "../support/free-port.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { RawConnection } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";

const PUT = "PUT /metrics/job/a HTTP/1.1\r\nHost: router\r\nContent-Length: 4\r\n\r\nx 1\n";
const NOT_READY = "Not ready: discovery has not reported any Pushgateway yet\n";

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

/** A router that is not ready before its member's `answersProbes` is set to true. */
async function startUnready(limits: Readonly<Record<string, unknown>> = {}, mode = "proxy") {
  const member = resources.use(await FakePushgateway.start());
  member.answersProbes = false;
  const slowChecks = { interval: "1h", timeout: "1h" };
  const config = configOf([member], { limits, health_check: slowChecks, routing: { mode } });
  const router = resources.use(await LocalRouter.start(config, { untilReady: false }));
  return { member, router };
}

async function pushesBy(router: LocalRouter, mode: string, outcome: string): Promise<number> {
  const metrics = await router.metrics();
  return metrics.get(`dynamic_sharding_pushes_total{mode="${mode}",outcome="${outcome}"}`) ?? 0;
}

async function clients(router: LocalRouter): Promise<number> {
  // The connection that asks does not count.
  return ((await router.metrics()).get("dynamic_sharding_client_connections") ?? 0) - 1;
}

describe("A push that comes before discovery is ready", () => {
  test.each([
    ["proxy", 200],
    ["redirect", 307],
  ] as const)("waits for it: mode %s", async (mode, status) => {
    const { member, router } = await startUnready({}, mode);
    await using client = await RawConnection.open(router.address);
    await client.write(PUT);
    await waitFor("the router to have the push", async () => (await clients(router)) === 1);
    expect((await router.get("/-/ready")).status).toBe(503);
    member.answersProbes = true;
    expect((await client.readResponse()).status).toBe(status);
  });

  test("is told 503 at its deadline", async () => {
    const { router } = await startUnready({ request_timeout: "200ms", stall_timeout: "200ms" });
    const answer = await router.push("/metrics/job/a");
    expect([answer.status, answer.headers.get("Retry-After"), await answer.text()]).toEqual([503, "1", NOT_READY]);
    expect(await pushesBy(router, "proxy", "unavailable")).toBe(1);
  });

  test("is refused at once when its path names no group", async () => {
    const { router } = await startUnready();
    expect((await router.push("/metrics/job/a/x")).status).toBe(400);
  });

  test("is forgotten when its client leaves meanwhile", async () => {
    const { member, router } = await startUnready();
    const client = await RawConnection.open(router.address);
    await client.write(PUT);
    await waitFor("the router to have the push", async () => (await clients(router)) === 1);
    client.abort();
    await waitFor("the router to notice", async () => (await clients(router)) === 0);
    member.answersProbes = true;
    await waitFor("it to be over", async () => (await pushesBy(router, "proxy", "aborted")) === 1);
    expect(member.pushes).toEqual([]);
  });

  test("is answered when the router stops", async () => {
    const { router } = await startUnready({ request_timeout: "1s", stall_timeout: "1s" });
    await using client = await RawConnection.open(router.address);
    await client.write(PUT);
    await waitFor("the router to have the push", async () => (await clients(router)) === 1);
    void router.stop();
    const answer = await client.readResponse();
    expect([answer.status, answer.text()]).toEqual([503, NOT_READY]);
  });
});

describe("A push that no member can take", () => {
  test.each(["proxy", "redirect"])("because all are draining, is told 503: mode %s", async (mode) => {
    await using member = await FakePushgateway.start();
    await using router = await LocalRouter.start({
      // Without Consul, a file that drains all members is refused.
      consul_server: { addr: `127.0.0.1:${freePort()}` },
      pushgateway: { servers: [member.address], draining: [member.address] },
      routing: { mode },
    });
    const answer = await router.push("/metrics/job/a");
    expect([answer.status, answer.headers.get("Retry-After")]).toEqual([503, "1"]);
    expect(await answer.text()).toBe("No Pushgateway can take the push: no member takes pushes\n");
    expect(await pushesBy(router, mode, "unavailable")).toBe(1);
  });
});

describe("A push that goes in circles", () => {
  test("through one router is told 508", async () => {
    await using member = await FakePushgateway.start();
    await using router = await LocalRouter.start(configOf([member]));
    await router.reconfigure(configOf([router]));
    await waitFor("the router to have itself as a member", async () => {
      return (await router.ownersOf("/metrics/job/a")).owner === router.address;
    });
    const answer = await router.push("/metrics/job/a");
    expect(answer.status).toBe(508);
    expect(await answer.text()).toContain("Is the router's own address among pushgateway.servers?");
  });

  test("through two routers is told 508, and through one after the other is none", async () => {
    await using member = await FakePushgateway.start();
    await using behind = await LocalRouter.start(configOf([member]));
    await using front = await LocalRouter.start(configOf([behind]));
    expect((await front.push("/metrics/job/a")).status).toBe(200);
    expect(member.latest.headerLines.filter((line) => line.startsWith("Via: ")).length).toBe(2);
    await behind.reconfigure(configOf([front]));
    await waitFor("the circle to close", async () => {
      return (await behind.ownersOf("/metrics/job/a")).owner === front.address;
    });
    expect((await front.push("/metrics/job/a")).status).toBe(508);
  });
});
