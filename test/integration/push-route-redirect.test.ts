import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts, part } from "../support/parts.ts";
import { chunked, largeTextBody } from "../support/push-bodies.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import { runCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";

function request(line: string, headers: readonly string[] = [], body = ""): string {
  return [line, "Host: router", ...headers, `Content-Length: ${body.length}`, "", body].join("\r\n");
}

describe("A redirected push", () => {
  let member: FakePushgateway;
  let router: LocalRouter;

  beforeAll(async () => {
    member = await FakePushgateway.start();
    router = await LocalRouter.start(configOf([member], { routing: { mode: "redirect" } }));
  });

  beforeEach(() => {
    member.pushes.length = 0;
  });

  afterAll(async () => {
    await router.stop();
    await member[Symbol.asyncDispose]();
  });

  test.each([
    ["as it is", "/metrics/job/a/x/1", "/metrics/job/a/x/1"],
    ["with its query", "/metrics/job/a?b=c&d=/e//..", "/metrics/job/a?b=c&d=/e//.."],
    ["with its escapes", "/metrics/job@base64/YQ==/%61%2f%C3%BC", "/metrics/job@base64/YQ==/%61%2f%C3%BC"],
    ["labels in their order", "/metrics/job/a/z/1/b/2", "/metrics/job/a/z/1/b/2"],
    ["without a fragment", "/metrics/job/a#b/c/d", "/metrics/job/a%23b/c/d"],
    ["without raw bytes", "/metrics/job/ü", "/metrics/job/%C3%BC"],
    ["without backslashes and quotes", '/metrics/job/a\\b"<>^`{|}', "/metrics/job/a%5Cb%22%3C%3E%5E%60%7B%7C%7D"],
    ["from an absolute target", "http://elsewhere/metrics/job/a?b", "/metrics/job/a?b"],
  ])("goes to the member's URL, the path %s", async (_, target, path) => {
    const answer = await rawRequest(router.address, request(`PUT ${target} HTTP/1.1`, [], "x 1\n"));
    expect([answer.status, answer.reason, answer.text()]).toEqual([307, "Temporary Redirect", ""]);
    expect(answer.header("Location")).toBe(`http://${member.address}${path}`);
    expect(member.pushes).toEqual([]);
  });

  test.each(["PUT", "POST"])("is one whatever the client and its credentials: %s", async (method) => {
    const headers = ["User-Agent: curl/7.88", "Authorization: Basic eDp5"];
    const answer = await rawRequest(router.address, request(`${method} /metrics/job/a HTTP/1.1`, headers));
    expect(answer.status).toBe(307);
  });

  test("is never a DELETE", async () => {
    member.script = { onPush: (push) => push.respond(202) };
    expect((await rawRequest(router.address, request("DELETE /metrics/job/a HTTP/1.1"))).status).toBe(202);
    expect(member.latest.requestLine).toBe("DELETE /metrics/job/a HTTP/1.1");
  });

  test("is refused as a proxied one is", async () => {
    const answer = await rawRequest(router.address, request("PUT /metrics/job/a/x HTTP/1.1"));
    expect([answer.status, answer.text()]).toEqual([400, 'odd number of components in label string "/x"\n']);
  });

  test.each([
    ["short", "x 1\n"],
    ["as long as is waited for", "x".repeat(60_000)],
    ["longer than that", "x".repeat(200_000)],
  ])("leaves its connection as it was, the body read: %s", async (_, body) => {
    await using client = await RawConnection.open(router.address);
    for (let i = 0; i < 3; i++) {
      void client.write(request(`PUT /metrics/job/j${i} HTTP/1.1`, [], body));
      const answer = await client.readResponse();
      expect([answer.status, answer.header("Connection")]).toEqual([307, undefined]);
      expect(answer.header("Location")).toEndWith(`/j${i}`);
    }
    const head = "PUT /metrics/job/last HTTP/1.1\r\nHost: r\r\nTransfer-Encoding: chunked\r\n\r\n";
    void client.write(Buffer.concat([Buffer.from(head), chunked(body)]));
    expect((await client.readResponse()).status).toBe(307);
  });

  test("of a long body is answered before its end, and the client can see it", async () => {
    await using client = await RawConnection.open(router.address);
    void client.write("PUT /metrics/job/a HTTP/1.1\r\nHost: r\r\nContent-Length: 20000000\r\n\r\n");
    void client.write(Buffer.alloc(20_000_000, "x"));
    const answer = await client.readResponse();
    expect([answer.status, answer.header("Connection")]).toEqual([307, "close"]);
    expect(await client.ending()).toBe("closed");
  });

  test("of a client that asks first comes before any 100 Continue", async () => {
    const head = "PUT /metrics/job/a HTTP/1.1\r\nHost: r\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n";
    const answer = await rawRequest(router.address, head);
    expect([answer.status, answer.interim]).toEqual([307, []]);
  });

  test("waits for the body, and counts as aborted when that does not come", async () => {
    const key = 'dynamic_sharding_pushes_total{mode="redirect",outcome="aborted"}';
    const before = (await router.metrics()).get(key) ?? 0;
    await using client = await RawConnection.open(router.address);
    await client.write("PUT /metrics/job/a HTTP/1.1\r\nHost: r\r\nContent-Length: 20\r\n\r\nx 1\n");
    client.end();
    expect((await client.readResponse()).status).toBe(400);
    expect((await router.metrics()).get(key)).toBe(before + 1);
  });
});

describe("In auto mode", () => {
  let member: FakePushgateway;
  let router: LocalRouter;

  beforeAll(async () => {
    member = await FakePushgateway.start();
    router = await LocalRouter.start(configOf([member], { routing: { mode: "auto" } }));
  });

  afterAll(async () => {
    await router.stop();
    await member[Symbol.asyncDispose]();
  });

  test.each([
    ["PUT", ["User-Agent: Go-http-client/1.1"], 307],
    ["POST", ["user-agent: Java/17.0.12"], 307],
    ["PUT", ["User-Agent: GuzzleHttp/7"], 307],
    ["PUT", ["User-Agent: Wget/1.21.3"], 307],
    ["DELETE", ["User-Agent: Go-http-client/1.1"], 200],
    ["PUT", ["User-Agent: Go-http-client/1.1", "authorization: Bearer x"], 200],
    ["PUT", ["User-Agent: curl/7.88.1"], 200],
    ["PUT", ["User-Agent: Python-urllib/3.11"], 200],
    ["PUT", ["User-Agent: Ruby"], 200],
    ["PUT", ["User-Agent: not Go-http-client/1.1"], 200],
    ["PUT", [], 200],
  ] as const)("%s with %j is answered %d", async (method, headers, status) => {
    const answer = await rawRequest(router.address, request(`${method} /metrics/job/a HTTP/1.1`, headers, "x 1\n"));
    expect(answer.status).toBe(status);
  });
});

test("The mode is what the file says after a reload", async () => {
  await using member = await FakePushgateway.start();
  await using router = await LocalRouter.start(configOf([member]));
  for (const [mode, status] of [
    ["redirect", 307],
    ["auto", 200],
    ["redirect", 307],
    ["proxy", 200],
  ] as const) {
    await router.reconfigure(configOf([member], { routing: { mode } }));
    await router.ready();
    expect((await router.push("/metrics/job/a")).status).toBe(status);
  }
});

await describeWithParts(["curl", "pushgateway-1.11.0"], "curl with 3 MB", () => {
  let member: Pushgateway;
  let folder: string;
  let file: string;

  beforeAll(async () => {
    member = await startPushgateway();
    folder = await temporaryFolder("curl");
    file = join(folder, "body");
    await writeFile(file, largeTextBody(3_000_000));
  });

  afterAll(async () => {
    await member.stop();
    await rm(folder, { recursive: true });
  });

  /** What curl says with -v, and the status at the end. */
  async function curl(...options: readonly string[]): Promise<string> {
    const report = ["-sS", "-v", "--stderr", "-", "-o", "/dev/null", "-w", "status %{http_code}", "--max-time", "20"];
    return await runCommand([await part("curl"), ...report, ...options]);
  }

  test.each([
    ["-T", (path: string) => ["-T", path]],
    ["-T in chunks", (path: string) => ["-T", path, "-H", "Transfer-Encoding: chunked"]],
    ["--data-binary", (path: string) => ["--data-binary", `@${path}`]],
  ])("and %s is told to go on, and pushes", async (what, options) => {
    await using router = await LocalRouter.start(configOf([member]));
    const job = `job${Bun.hash(what)}`;
    const said = await curl(...options(file), `${router.url}/metrics/job/${job}`);
    expect(said).toContain("< HTTP/1.1 100 Continue");
    expect(said).toEndWith("status 200");
    expect((await groupsOf(member.url)).has(`{"job":"${job}"}`)).toBe(true);
  });

  test("is redirected before it sends them, and follows", async () => {
    await using router = await LocalRouter.start(configOf([member], { routing: { mode: "redirect" } }));
    const said = await curl("-L", "-T", file, `${router.url}/metrics/job/followed`);
    expect(said.match(/< HTTP\/1\.1 \d+/g)).toEqual(["< HTTP/1.1 307", "< HTTP/1.1 100", "< HTTP/1.1 200"]);
    expect(said).toEndWith("status 200");
    expect((await groupsOf(member.url)).has('{"job":"followed"}')).toBe(true);
  });
});
