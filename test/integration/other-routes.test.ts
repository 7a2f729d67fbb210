import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { rawRequest } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";

interface MembersAnswer {
  readonly status: string;
  readonly data: {
    readonly members: readonly {
      readonly address: string;
      readonly state: string;
      readonly since: string;
      readonly reason: string;
      readonly takes_pushes: boolean;
    }[];
    readonly panic: boolean;
    readonly ring_fingerprint: number;
  };
}

const NOT_READY = "Not ready: discovery has not reported any Pushgateway yet";

describe("The routes beside the push route", () => {
  let members: readonly FakePushgateway[] = [];
  let draining: FakePushgateway;
  let router: LocalRouter;
  let unready: LocalRouter;

  beforeAll(async () => {
    members = [await FakePushgateway.start(), await FakePushgateway.start(), await FakePushgateway.start()];
    draining = await FakePushgateway.start();
    const silent = await FakePushgateway.start();
    silent.answersProbes = false;
    const all = [...members, draining, silent];
    members = all;
    const addresses = all.slice(0, 4).map(({ address }) => address);
    const config = configOf([], { pushgateway: { servers: addresses, draining: [draining.address] } });
    router = await LocalRouter.start(config);
    const slowChecks = { interval: "1h", timeout: "1h" };
    unready = await LocalRouter.start(configOf([silent], { health_check: slowChecks }), { untilReady: false });
  });

  afterAll(async () => {
    await Promise.all([router.stop(), unready.stop()]);
    await Promise.all(members.map((member) => member[Symbol.asyncDispose]()));
  });

  async function ask(method: string, target: string, of = router) {
    const answer = await rawRequest(of.address, `${method} ${target} HTTP/1.1\r\nHost: router\r\n\r\n`);
    return { status: answer.status, text: answer.text(), type: answer.header("Content-Type"), answer };
  }

  describe("lookup", () => {
    test("says in one line where a push goes, as the Go program did", async () => {
      const { owner } = await router.ownersOf("/metrics/job/a/x/1");
      const said = await ask("GET", "/metrics/job/a/x/1?query");
      expect([said.status, said.text]).toEqual([200, `nextUrl:http://${owner}/metrics/job/a/x/1`]);
      expect((await router.push("/metrics/job/a/x/1")).status).toBe(200);
      expect(members.find(({ address }) => address === owner)?.latest.requestLine).toStartWith(
        "PUT /metrics/job/a/x/1",
      );
    });

    test("answers the same for every spelling of a group, with the path as it came", async () => {
      const spellings = ["/metrics/job/a/x/1/y/2", "/metrics/job/a/y/2/x/1", "/metrics/job@base64/YQ/x/1/y%2f2"];
      const said = await Promise.all(spellings.map((path) => ask("GET", path)));
      const hosts = said.map(({ text }, i) => text.replace(spellings[i] ?? "", ""));
      expect(new Set(hosts).size).toBe(1);
    });

    test("answers HEAD without a body, and refuses a path that names no group", async () => {
      const said = await ask("HEAD", "/metrics/job/a");
      expect([said.status, said.text, said.type]).toEqual([200, "", "text/plain; charset=utf-8"]);
      expect(Number(said.answer.header("Content-Length"))).toBeGreaterThan(30);
      const refused = await ask("GET", "/metrics/job/a/x");
      expect([refused.status, refused.text]).toEqual([400, 'odd number of components in label string "/x"\n']);
    });

    test("is not answered before discovery is ready", async () => {
      const said = await ask("GET", "/metrics/job/a", unready);
      expect([said.status, said.text, said.answer.header("Retry-After")]).toEqual([503, `${NOT_READY}\n`, "1"]);
    });
  });

  describe("/api/v1/members", () => {
    test("lists the members by address, with their states", async () => {
      const said = await ask("GET", "/api/v1/members");
      expect([said.status, said.type]).toEqual([200, "application/json"]);
      const { status, data } = JSON.parse(said.text) as MembersAnswer;
      expect([status, data.panic]).toEqual(["success", false]);
      expect(data.ring_fingerprint).toBeGreaterThan(0);
      expect(data.members.map(({ address }) => address)).toEqual(data.members.map(({ address }) => address).sort());
      expect(data.members.length).toBe(4);
      for (const member of data.members) {
        const isDraining = member.address === draining.address;
        expect([member.state, member.takes_pushes]).toEqual(isDraining ? ["draining", false] : ["active", true]);
        expect(member.reason).not.toBe("");
        expect(Math.abs(Date.now() - Date.parse(member.since))).toBeLessThan(600_000);
      }
    });

    test("is not answered before discovery is ready", async () => {
      const said = await ask("GET", "/api/v1/members", unready);
      expect(said.status).toBe(503);
      expect(JSON.parse(said.text)).toEqual({ status: "error", errorType: "unavailable", error: NOT_READY });
    });
  });

  describe("/api/v1/owner", () => {
    async function owner(path: string, of = router) {
      const { status, text, type } = await ask("GET", `/api/v1/owner?path=${path}`, of);
      expect(type).toBe("application/json");
      return { status, json: JSON.parse(text) as { data: Record<string, unknown> } };
    }

    test("says who owns a group, who comes next, and what the group is", async () => {
      const { status, json } = await owner("/metrics/job/a/z/1/b@base64/w7w");
      expect(status).toBe(200);
      const { owner: first, fail_over: next, ...rest } = json.data;
      expect(rest).toEqual({ canonical_path: "/metrics/job/a/b/ü/z/1", grouping_key: { job: "a", b: "ü", z: "1" } });
      const takers = members.slice(0, 3).map(({ address }) => address);
      expect([first, ...(next as string[])].sort()).toEqual(takers.sort());
    });

    test.each([
      ["encoded as a whole", "%2Fmetrics%2Fjob%2Fa%252Fb%2Fc", "/metrics/job/a/b/c"],
      ["with its escapes encoded", "/metrics/job/a%252Fb/c", "/metrics/job/a/b/c"],
      ["with a plus", "/metrics/job/a+b", "/metrics/job/a+b"],
      ["with raw bytes", "/metrics/job/ü", "/metrics/job/ü"],
      ["before other parameters", "/metrics/job/a&path=/metrics/job/b", "/metrics/job/a"],
    ])("takes a path %s", async (_, path, canonical) => {
      const { canonical_path: seen } = (await owner(path)).json.data;
      expect(seen).toBe(canonical);
    });

    test.each([
      ["without a path", "", 400, "Want ?path=/metrics/job/<job>"],
      ["with another path", "/api/v1/members", 400, "Want ?path=/metrics/job/<job>"],
      ["with half a label", "/metrics/job/a/x", 400, "odd number of components"],
      ["with an empty part", "/metrics/job//x", 400, "an empty part"],
    ])("refuses in JSON a question %s", async (_, path, status, error) => {
      const said = await owner(path);
      expect(said.status).toBe(status);
      expect(said.json as object).toEqual({
        status: "error",
        errorType: "bad_data",
        error: expect.stringContaining(error),
      });
    });

    test("is not answered before discovery is ready", async () => {
      const said = await owner("/metrics/job/a", unready);
      expect(said.status).toBe(503);
      expect(said.json as object).toEqual({ status: "error", errorType: "unavailable", error: NOT_READY });
    });
  });

  describe("management", () => {
    test.each([
      ["/-/healthy", 200, "dynamic-sharding is healthy.\n"],
      ["/-/ready", 200, "dynamic-sharding is ready.\n"],
      ["/test/v1", 200, "dynamic-sharding is up\n"],
    ])("%s says that all is well", async (path, status, text) => {
      const said = await ask("GET", path);
      expect([said.status, said.text, said.type]).toEqual([status, text, "text/plain; charset=utf-8"]);
      expect(said.answer.header("X-Content-Type-Options")).toBe("nosniff");
      expect(said.answer.header("Date")).toBeDefined();
      const head = await ask("HEAD", path);
      expect([head.status, head.text]).toEqual([200, ""]);
      expect(head.answer.header("Content-Length")).toBe(String(text.length));
    });

    test("before discovery is ready the router is healthy and not ready", async () => {
      expect((await ask("GET", "/-/healthy", unready)).status).toBe(200);
      const said = await ask("GET", "/-/ready", unready);
      expect([said.status, said.text, said.answer.header("Retry-After")]).toEqual([503, `${NOT_READY}\n`, "1"]);
    });

    test.each(["PUT", "POST"])("%s /-/reload is closed without --web.enable-lifecycle", async (method) => {
      const said = await ask(method, "/-/reload");
      expect(said.status).toBe(403);
      expect(said.text).toContain("--web.enable-lifecycle");
    });
  });

  describe("what is no route", () => {
    test.each([
      "/",
      "/metrics/",
      "/metrics/jobs/a",
      "/api/v1/owners",
      "/-/healthy/",
      "/constructor",
      "/__proto__",
      "/%2d/healthy",
    ])("%s is not found", async (path) => {
      for (const method of ["GET", "PUT", "OPTIONS"]) expect((await ask(method, path)).status).toBe(404);
    });

    test.each([
      ["PUT", "/metrics", "GET, HEAD, OPTIONS"],
      ["POST", "/metrics?x", "GET, HEAD, OPTIONS"],
      ["DELETE", "/-/healthy", "GET, HEAD, OPTIONS"],
      ["POST", "/api/v1/members", "GET, HEAD, OPTIONS"],
      ["PUT", "/api/v1/owner", "GET, HEAD, OPTIONS"],
      ["POST", "/sd/pushgateways", "GET, HEAD, OPTIONS"],
      ["GET", "/-/reload", "OPTIONS, POST, PUT"],
      ["HEAD", "/-/reload", "OPTIONS, POST, PUT"],
      ["get", "/-/ready", "GET, HEAD, OPTIONS"],
      ["PATCH", "/metrics/job/a", "DELETE, GET, HEAD, OPTIONS, POST, PUT"],
      ["toString", "/-/ready", "GET, HEAD, OPTIONS"],
    ])("%s %s is not allowed, and what is, is said", async (method, path, allow) => {
      const said = await ask(method, path);
      expect([said.status, said.answer.header("Allow")]).toEqual([405, allow]);
      const options = await ask("OPTIONS", path);
      expect([options.status, options.text, options.answer.header("Allow")]).toEqual([200, "", allow]);
    });
  });
});

describe("/-/reload with --web.enable-lifecycle", () => {
  test.each(["PUT", "POST"])("%s puts the file into effect, or says what is wrong with it", async (method) => {
    await using one = await FakePushgateway.start();
    await using two = await FakePushgateway.start();
    await using router = await LocalRouter.start(configOf([one]), { enableLifecycle: true });
    const reload = async () => {
      const response = await router.get("/-/reload", { method });
      return [response.status, await response.text()] as const;
    };
    const count = async () => (await router.metrics()).get('dynamic_sharding_members{state="active"}');
    const successful = async () => (await router.metrics()).get("dynamic_sharding_config_last_reload_successful");

    await router.writeConfig(configOf([one, two]));
    expect(await reload()).toEqual([200, "Configuration reloaded\n"]);
    await waitFor("both members", async () => (await count()) === 2);
    expect(await successful()).toBe(1);

    await router.writeConfig("pushgateway:\n  servers: []\n  prot: 1\n");
    const [status, text] = await reload();
    expect(status).toBe(500);
    expect(text).toStartWith("Cannot reload the configuration, the running one stays in place:\n");
    expect(text).toContain("dynamic-sharding.yml:3:3");
    expect(text).toContain('did you mean "port"?');
    expect([await count(), await successful()]).toEqual([2, 0]);
    expect((await router.push("/metrics/job/a")).status).toBe(200);
  });
});
