import { describe, expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts, part } from "../support/parts.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import { tryCommand } from "../support/run-command.ts";
import { waitFor } from "../support/wait-for.ts";

const LIMITS = { request_timeout: "500ms", stall_timeout: "300ms" };

type Samples = Readonly<Record<string, number>>;

/** Samples of metrics whose names begin with one of these, less the prefix that all have, and less those that are 0. */
async function samples(router: LocalRouter, ...names: readonly string[]): Promise<Samples> {
  const short = [...(await router.metrics())].map(([name, value]) => [name.replace("dynamic_sharding_", ""), value]);
  const wanted = short.filter(([name, value]) => value !== 0 && names.some((begin) => String(name).startsWith(begin)));
  return Object.fromEntries(wanted) as Samples;
}

/** Has every kind of thing happen to pushes, each a known number of times. */
async function causeTraffic(router: LocalRouter, members: readonly FakePushgateway[], path: string): Promise<void> {
  const [owner, next] = members as [FakePushgateway, FakePushgateway];
  const script = (onPush: FakePushgateway["script"]["onPush"]) => {
    owner.script = onPush === undefined ? {} : { onPush };
  };
  for (let i = 0; i < 3; i++) expect((await router.push(path)).status).toBe(200);
  script((push) => push.respond(400, "no"));
  for (let i = 0; i < 2; i++) expect((await router.push(path)).status).toBe(400);
  expect((await router.push("/metrics/job/a/x")).status).toBe(400);
  script((push) => push.write("nonsense\r\n\r\n"));
  expect((await router.push(path)).status).toBe(502);
  script((push) => push.close());
  expect((await router.push(path)).status).toBe(502);
  script(() => {});
  expect((await router.push(path)).status).toBe(504);
  script(undefined);
  await using client = await RawConnection.open(router.address);
  await client.write(`PUT ${path} HTTP/1.1\r\nHost: r\r\nContent-Length: 4\r\n\r\nx`);
  client.abort();
  await waitFor("the abort to be noticed", async () => {
    return (await samples(router, "pushes_total"))['pushes_total{mode="proxy",outcome="aborted"}'] === 1;
  });
  owner.stopListening();
  owner.closeConnections();
  expect((await router.push(path)).status).toBe(200);
  next.stopListening();
  next.closeConnections();
  expect((await router.push(path)).status).toBe(503);
}

describe("The router's own metrics", () => {
  test("say exactly what became of pushes", async () => {
    await using one = await FakePushgateway.start();
    await using two = await FakePushgateway.start();
    const slowChecks = { interval: "1h", timeout: "200ms" };
    await using router = await LocalRouter.start(configOf([one, two], { limits: LIMITS, health_check: slowChecks }));
    const path = await router.pathOwnedBy(one.address);
    await causeTraffic(router, [one, two], path);
    expect(await samples(router, "pushes_total", "push_duration_seconds_count")).toEqual({
      'pushes_total{mode="proxy",outcome="delivered"}': 4,
      'pushes_total{mode="proxy",outcome="rejected"}': 2,
      'pushes_total{mode="proxy",outcome="refused"}': 1,
      'pushes_total{mode="proxy",outcome="failed"}': 2,
      'pushes_total{mode="proxy",outcome="timed_out"}': 1,
      'pushes_total{mode="proxy",outcome="aborted"}': 1,
      'pushes_total{mode="proxy",outcome="unavailable"}': 1,
      'push_duration_seconds_count{mode="proxy"}': 12,
    });
    expect(await samples(router, "upstream_request_duration_seconds_count", "failovers_total")).toEqual({
      upstream_request_duration_seconds_count: 6,
      'failovers_total{reason="unreachable"}': 2,
    });
    expect(await samples(router, "upstream_failures_total")).toEqual({
      [`upstream_failures_total{member="${one.address}",reason="malformed"}`]: 1,
      [`upstream_failures_total{member="${one.address}",reason="dropped"}`]: 1,
      [`upstream_failures_total{member="${one.address}",reason="unreachable"}`]: 2,
      [`upstream_failures_total{member="${two.address}",reason="unreachable"}`]: 1,
    });
    expect(await samples(router, "upstream_in_flight")).toEqual({});
    expect(await samples(router, "members{", "panic")).toEqual({ 'members{state="down"}': 2, panic: 1 });
    await router.reconfigure(configOf([one, two], { routing: { mode: "redirect" }, limits: LIMITS }));
    expect((await router.push(path)).status).toBe(307);
    expect(
      await samples(router, 'pushes_total{mode="redirect"', 'push_duration_seconds_count{mode="redirect"'),
    ).toEqual({
      'pushes_total{mode="redirect",outcome="redirected"}': 1,
      'push_duration_seconds_count{mode="redirect"}': 1,
    });
  });

  test("say what is under way", async () => {
    await using member = await FakePushgateway.start();
    await using router = await LocalRouter.start(configOf([member]));
    member.script = { onPush: () => {} };
    const pushes = [router.push("/metrics/job/a"), router.push("/metrics/job/b")];
    await waitFor("the pushes to arrive", () => member.pushes.length === 2);
    await waitFor("the connections of earlier questions to be gone", async () => {
      expect(await samples(router, "upstream_in_flight", "client_connections", "members{")).toEqual({
        [`upstream_in_flight{member="${member.address}"}`]: 2,
        client_connections: 3,
        'members{state="active"}': 1,
      });
      return true;
    });
    for (const push of member.pushes) push.respond();
    await Promise.all(pushes);
    expect(await samples(router, "upstream_in_flight")).toEqual({});
  });

  test("count other requests by route, never by path", async () => {
    await using member = await FakePushgateway.start();
    await using router = await LocalRouter.start(configOf([member]));
    const before = await samples(router, "http_requests_total");
    for (const path of ["/-/healthy", "/-/healthy", "/nowhere", "/else", "/metrics/job/a", "/metrics/job/b/x"]) {
      await router.get(path);
    }
    await router.get("/metrics/job/a", { method: "PATCH" });
    await router.get("/metrics/job/a", { method: "OPTIONS" });
    await router.get("/sd/pushgateways", { method: "POST" });
    await rawRequest(router.address, "HEAD /api/v1/members HTTP/1.1\r\nHost: r\r\n\r\n");
    const after = await samples(router, "http_requests_total");
    const grown = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)] as const);
    // Reading the metrics counts, too.
    expect(Object.fromEntries(grown.filter(([name, value]) => value > 0 && !name.includes('"/metrics"')))).toEqual({
      'http_requests_total{handler="/-/healthy",code="200"}': 2,
      'http_requests_total{handler="none",code="404"}': 2,
      'http_requests_total{handler="lookup",code="200"}': 1,
      'http_requests_total{handler="lookup",code="400"}': 1,
      'http_requests_total{handler="push",code="405"}': 1,
      'http_requests_total{handler="push",code="200"}': 1,
      'http_requests_total{handler="/sd/pushgateways",code="405"}': 1,
      'http_requests_total{handler="/api/v1/members",code="200"}': 1,
    });
  });

  test("let go of a member that is gone, also when its last push fails afterwards", async () => {
    await using staying = await FakePushgateway.start();
    await using leaving = await FakePushgateway.start();
    await using router = await LocalRouter.start(configOf([staying, leaving]));
    const path = await router.pathOwnedBy(leaving.address);
    leaving.script = { onPush: (push) => push.write("nonsense\r\n\r\n") };
    expect((await router.push(path)).status).toBe(502);
    leaving.script = { onPush: () => {} };
    const late = router.push(path);
    await waitFor("a push to be on its way", () => leaving.pushes.length === 2);
    const ofLeaving = async () => [...(await router.metrics()).keys()].filter((name) => name.includes(leaving.address));
    expect((await ofLeaving()).length).toBe(2);
    await router.reconfigure(configOf([staying]));
    await waitFor("its series to go", async () => (await ofLeaving()).length === 0);
    leaving.latest.write("nonsense\r\n\r\n");
    expect((await late).status).toBe(502);
    expect(await ofLeaving()).toEqual([]);
  });

  test("show by the fingerprint whether two routers agree", async () => {
    await using one = await FakePushgateway.start();
    await using two = await FakePushgateway.start();
    await using left = await LocalRouter.start(configOf([one, two]));
    await using right = await LocalRouter.start(configOf([two, one]));
    const fingerprint = async (of: LocalRouter) => (await of.metrics()).get("dynamic_sharding_ring_fingerprint");
    expect(await fingerprint(left)).toBeGreaterThan(0);
    expect(await fingerprint(right)).toBe(await fingerprint(left));
    await right.reconfigure(configOf([one]));
    await waitFor("them to differ", async () => (await fingerprint(right)) !== (await fingerprint(left)));
    await left.reconfigure(configOf([one]));
    await waitFor("them to agree", async () => (await fingerprint(right)) === (await fingerprint(left)));
  });
});

describe("The router's log", () => {
  test("tells of pushes at debug only", async () => {
    await using one = await FakePushgateway.start();
    await using two = await FakePushgateway.start();
    await using quiet = await LocalRouter.start(configOf([one, two], { limits: LIMITS }), { logLevel: "info" });
    await using chatty = await LocalRouter.start(configOf([one, two], { limits: LIMITS }));
    const before = quiet.log.length;
    for (const router of [quiet, chatty]) {
      const path = await router.pathOwnedBy(one.address);
      one.script = {};
      expect((await router.push(path)).status).toBe(200);
      one.script = { onPush: (push) => push.respond(400, "no") };
      expect((await router.push(path, "x 1\n", { headers: { Authorization: "Basic c2VjcmV0" } })).status).toBe(400);
      one.script = { onPush: (push) => push.close() };
      expect((await router.push(path)).status).toBe(502);
      expect((await router.push("/metrics/job/a/x")).status).toBe(400);
      await rawRequest(router.address, "nonsense\r\n\r\n");
    }
    expect(quiet.log.slice(before)).toEqual([]);
    const said = chatty.log.filter((line) => line.includes('msg="Handed on a push"'));
    expect(said.map((line) => /level=debug .* outcome=(\w+)/.exec(line)?.[1])).toEqual([
      "delivered",
      "rejected",
      "failed",
    ]);
    expect(said[0]).toContain(`method=PUT target=${await chatty.pathOwnedBy(one.address)} owner=${one.address}`);
    expect(chatty.log.join("")).not.toContain("c2VjcmV0");
  });
});

await describeWithParts(["promtool"], "promtool", () => {
  test("finds nothing to say about the router's metrics, whatever has happened", async () => {
    await using one = await FakePushgateway.start();
    await using two = await FakePushgateway.start();
    await using router = await LocalRouter.start(configOf([one, two], { limits: LIMITS }));
    const check = async () => {
      const input = await (await router.get("/metrics")).text();
      return await tryCommand([await part("promtool"), "check", "metrics"], { input });
    };
    expect(await check()).toEqual({ exitCode: 0, stdout: "", stderr: "" });
    await causeTraffic(router, [one, two], await router.pathOwnedBy(one.address));
    expect(await check()).toEqual({ exitCode: 0, stdout: "", stderr: "" });
  });
});
