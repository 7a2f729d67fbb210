import { describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FakeConsul, healthEntries } from "../support/fake-consul.ts";
import { consulOptions, WatchedMembership } from "../support/membership.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

const ONE = "127.0.0.1:9001";
const TWO = "127.0.0.1:9002";

/** Membership that takes all it knows from the fake, and registers nothing there. */
function watch(consul: FakeConsul, more: Parameters<typeof consulOptions>[1] = {}): WatchedMembership {
  return new WatchedMembership({ consul: consulOptions(consul.address, { register: false, ...more }) });
}

describe("A blocking query", () => {
  test("asks for stale answers without `passing`, waits for a change of the index, and takes it over", async () => {
    using consul = new FakeConsul();
    consul.change({ body: healthEntries(ONE) });
    await using watched = watch(consul, { datacenter: "dc7", serviceName: "push/gateway" });
    await watched.ready();
    const second = await waitFor("the second query", () => consul.queries[1]);
    expect(consul.queries[0]?.path).toBe("/v1/health/service/push%2Fgateway");
    expect(Object.fromEntries(consul.queries[0]?.query ?? [])).toEqual({ stale: "", dc: "dc7" });
    expect(Object.fromEntries(second.query)).toEqual({ stale: "", dc: "dc7", index: "10", wait: "55000ms" });
    consul.change({ body: healthEntries(ONE, TWO), index: "11" });
    await watched.waitForStates({ [ONE]: "active", [TWO]: "active" });
    expect((await waitFor("the third query", () => consul.queries[2])).query.get("index")).toBe("11");
  });

  test("starts over when the index goes backwards, and uses the answer", async () => {
    using consul = new FakeConsul();
    // Beyond what a number holds exactly, so that a comparison as numbers would miss it.
    consul.change({ body: healthEntries(ONE), index: "9007199254740993" });
    await using watched = watch(consul);
    await watched.ready();
    await waitFor("the second query", () => consul.queries[1]);
    consul.change({ body: healthEntries(ONE, TWO), index: "9007199254740992" });
    await watched.waitForStates({ [ONE]: "active", [TWO]: "active" });
    expect((await waitFor("the third query", () => consul.queries[2])).query.has("index")).toBe(false);
  });

  test("takes an index that goes backwards for another agent, which needs the services registered again", async () => {
    using consul = new FakeConsul();
    consul.change({ body: healthEntries(ONE, TWO), index: "100" });
    await using watched = new WatchedMembership({ servers: [ONE], consul: consulOptions(consul.address) });
    await watched.ready();
    await waitFor("the second query", () => consul.queries[1]);
    const registrations = () => consul.requests.filter(({ path }) => path === "/v1/agent/service/register").length;
    expect(registrations()).toBe(1);
    consul.forget();
    consul.change({ body: healthEntries(TWO), index: "7" });
    await waitFor("another registration", () => registrations() === 2);
    expect(watched.log).not.toContain("was taken out of Consul");
    expect(watched.membership.current?.members).toHaveLength(2);
  });

  test.each<[string, string | undefined]>([
    ["0", "0"],
    ["missing", undefined],
    ["no number", "soon"],
  ])("polls at its own pace where the index is %s", async (_what, index) => {
    using consul = new FakeConsul();
    consul.change({ body: healthEntries(ONE), index });
    await using watched = watch(consul, { pacing: { burst: 2, refillMs: 50 } });
    await watched.ready();
    const queries = await waitFor("some queries", () => consul.queries.length >= 5 && consul.queries);
    expect(queries.slice(1).every(({ query }) => query.get("index") === "1")).toBe(true);
    // Two may follow the first at once, then one each 50 ms; timers may fire a little early.
    expect((queries[4]?.at ?? 0) - (queries[0]?.at ?? 0)).toBeGreaterThanOrEqual(2 * 50 - 10);
    expect(watched.states).toEqual([`${ONE} active`]);
    expect(watched.counts.refreshFailed).toBe(0);
  });

  test("follows a churning service at a bounded rate", async () => {
    using consul = new FakeConsul();
    consul.change({ body: healthEntries(ONE) });
    await using watched = watch(consul, { pacing: { burst: 3, refillMs: 50 } });
    await watched.ready();
    const start = performance.now();
    await waitFor("some queries", () => {
      consul.change({ index: String(Math.round(performance.now() * 1_000)) });
      return consul.queries.length >= 8;
    });
    // Three may follow the first one at once, then each of the other four waits.
    expect(performance.now() - start).toBeGreaterThanOrEqual(4 * 50 - 10);
  });
});

describe("What Consul says is not believed", () => {
  test.each<[string, Parameters<FakeConsul["change"]>[0]]>([
    ["it has no leader", { headers: { "X-Consul-KnownLeader": "false" }, body: healthEntries(TWO) }],
    ["it lists nothing", { body: [] }],
    ["the token may see nothing", { body: [], headers: { "X-Consul-Results-Filtered-By-ACLs": "true" } }],
    ["it answers an error", { status: 500, body: "No cluster leader" }],
    ["it answers something else", { body: { errors: ["x"] } }],
    ["it answers entries of another form", { body: [{ Node: "n1" }] }],
    ["it redirects", { status: 301, headers: { Location: "http://127.0.0.1:1/" } }],
  ])("when %s: the members stay, our own checks watch over them, and the failure is counted", async (_what, change) => {
    using consul = new FakeConsul();
    using pushgateway = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("OK") });
    const address = `127.0.0.1:${pushgateway.port}`;
    consul.change({ body: healthEntries(address) });
    await using watched = watch(consul);
    await watched.ready();
    await waitFor("the second query", () => consul.queries[1]);
    consul.change({ ...change, index: "11" });
    expect(watched.counts.checked).toBe(0);
    await waitFor("a failure", () => watched.counts.refreshFailed > 0);
    await waitFor("a check of our own", () => watched.counts.checked > 0);
    expect(watched.states).toEqual([`${address} active`]);
    expect(watched.log.match(/level=warn.*mechanism=consul/g)?.length).toBeGreaterThanOrEqual(1);
    consul.change({ body: healthEntries(address), status: 200, index: "12", headers: {} });
    await waitFor("a success", () => watched.counts.refreshSucceeded >= 2);
  });
});

describe("Without an answer from Consul", () => {
  /** Accepts connections and says nothing, as a host that drops packets would. */
  function silentServer(): { readonly address: string } & Disposable {
    const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    return { address: `127.0.0.1:${server.port}`, [Symbol.dispose]: () => server.stop(true) };
  }

  function healthyServer(): { readonly address: string } & Disposable {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("OK") });
    return { address: `127.0.0.1:${server.port}`, [Symbol.dispose]: () => void server.stop(true) };
  }

  test.each([true, false])("the configured servers do, after a short wait (register: %p)", async (register) => {
    using silent = silentServer();
    using pushgateway = healthyServer();
    await using watched = new WatchedMembership({
      servers: [pushgateway.address],
      consul: consulOptions(silent.address, { register, pacing: { fallbackAfterMs: 50 } }),
    });
    await watched.ready();
    expect(watched.states).toEqual([`${pushgateway.address} active`]);
  });

  test("a reload keeps the members known from Consul, less those it removes, and adds the configured ones", async () => {
    using consul = new FakeConsul();
    using silent = silentServer();
    using known = healthyServer();
    using removed = healthyServer();
    using added = healthyServer();
    consul.change({ body: healthEntries(known.address, removed.address) });
    await using watched = new WatchedMembership({ servers: [removed.address], consul: consulOptions(consul.address) });
    await watched.waitForStates({ [known.address]: "active", [removed.address]: "active" });
    watched.reload({
      servers: [added.address],
      consul: consulOptions(silent.address, { pacing: { fallbackAfterMs: 50 } }),
    });
    await watched.waitForStates({ [known.address]: "active", [added.address]: "active" });
    expect(watched.counts.resharded).toBe(1);
  });

  test("a reload keeps exactly the members known from Consul where it alone decides", async () => {
    using consul = new FakeConsul();
    using silent = silentServer();
    using known = healthyServer();
    consul.change({ body: healthEntries(known.address) });
    await using watched = watch(consul);
    await watched.ready();
    watched.reload({
      servers: [TWO],
      consul: consulOptions(silent.address, { register: false, pacing: { fallbackAfterMs: 10, requestTimeoutMs: 50 } }),
    });
    await waitFor("some attempts", () => watched.counts.refreshFailed >= 2);
    expect(watched.states).toEqual([`${known.address} active`]);
    expect(watched.counts.resharded).toBe(0);
  });

  test("nothing is ready where no servers are configured", async () => {
    using silent = silentServer();
    await using watched = new WatchedMembership({
      consul: consulOptions(silent.address, { pacing: { fallbackAfterMs: 10, requestTimeoutMs: 50 } }),
    });
    await waitFor("some attempts", () => watched.counts.refreshFailed >= 2);
    expect(watched.membership.current).toBeUndefined();
    expect(watched.log).toContain("no answer in time");
  });
});

describe("Credentials", () => {
  test("go with every call, a rotated token file from the next call on, and never into the log", async () => {
    using consul = new FakeConsul();
    consul.change({ body: healthEntries(ONE) });
    const folder = await temporaryFolder("token");
    const tokenFile = join(folder, "token");
    await Bun.write(tokenFile, "first-secret\n");
    const basicAuth = { username: "prometheus", password: "s:e:c:r:e:t" };
    {
      await using watched = watch(consul, { tokenFile, basicAuth });
      await watched.ready();
      await waitFor("the second query", () => consul.queries[1]);
      expect(consul.requests.map(({ headers }) => headers.get("x-consul-token"))).toEqual(
        consul.requests.map(() => "first-secret"),
      );
      expect(consul.requests[0]?.headers.get("authorization")).toBe(`Basic ${btoa("prometheus:s:e:c:r:e:t")}`);
      await Bun.write(tokenFile, "second-secret");
      consul.change({ index: "11" });
      const third = await waitFor("the third query", () => consul.queries[2]);
      expect(third.headers.get("x-consul-token")).toBe("second-secret");
      consul.change({ index: "12", status: 403 });
      await waitFor("a refusal", () => watched.counts.refreshFailed > 0);
      await rm(tokenFile);
      await waitFor("the missing file to be noticed", () => watched.log.includes("Cannot read the Consul token file"));
      expect(watched.log).not.toContain("secret");
      expect(watched.log).not.toContain("s:e:c:r:e:t");
    }
    await rm(folder, { recursive: true });
  });
});
