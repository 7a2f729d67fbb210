import { afterEach, describe, expect, test } from "bun:test";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { chunked } from "../support/push-bodies.ts";
import { RawConnection, type RawResponse, rawRequest } from "../support/raw-http.ts";
import { waitFor } from "../support/wait-for.ts";

type Limits = Readonly<Record<string, unknown>>;

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function startRouter(limits: Limits): Promise<{ router: LocalRouter; member: FakePushgateway }> {
  const member = resources.use(await FakePushgateway.start());
  const router = resources.use(await LocalRouter.start(configOf([member], { limits })));
  return { router, member };
}

function head(...lines: readonly string[]): string {
  return ["PUT /metrics/job/a HTTP/1.1", "Host: router", ...lines, "", ""].join("\r\n");
}

function put(body: string): string {
  return head(`Content-Length: ${body.length}`) + body;
}

function seen(answer: RawResponse) {
  return { status: answer.status, text: answer.text(), connection: answer.header("Connection") };
}

describe("A limit of the router", () => {
  test("on headers: 431", async () => {
    const { router, member } = await startRouter({ max_header_bytes: "4KiB" });
    const answer = await rawRequest(router.address, head("Content-Length: 0", `X: ${"x".repeat(5_000)}`));
    expect(seen(answer)).toEqual({
      status: 431,
      text: "Message head too large: more than 4096 bytes\n",
      connection: "close",
    });
    expect((await rawRequest(router.address, head("Content-Length: 0", `X: ${"x".repeat(3_000)}`))).status).toBe(200);
    expect(member.pushes.length).toBe(1);
  });

  test("on a body that says how long it is: 413 at once", async () => {
    const { router, member } = await startRouter({ max_body_bytes: "1KiB" });
    const answer = await rawRequest(router.address, head("Content-Length: 1025", "Expect: 100-continue"));
    expect(seen(answer)).toEqual({
      status: 413,
      text: "Request body too large: more than 1024 bytes\n",
      connection: "close",
    });
    expect(answer.interim).toEqual([]);
    expect(member.pushes).toEqual([]);
    expect((await rawRequest(router.address, put("x".repeat(1_024)))).status).toBe(200);
  });

  test.each([
    ["gathered", "1KiB"],
    ["streamed", "100"],
  ])("on a body in chunks: 413 once it is too long, and no member has a whole one: %s", async (_, kept) => {
    const { router, member } = await startRouter({ max_body_bytes: "1KiB", max_buffered_body_bytes: kept });
    await using client = await RawConnection.open(router.address);
    await client.write(`${head("Transfer-Encoding: chunked")}200\r\n${"x".repeat(512)}\r\n`);
    if (kept === "100") await waitFor("the member to get some", () => member.pushes[0]?.bodyBytes === 512);
    await client.write(chunked("x".repeat(513)));
    expect(seen(await client.readResponse())).toEqual({
      status: 413,
      text: "Request body too large: more than 1024 bytes\n",
      connection: "close",
    });
    await member.pushes[0]?.closed;
    expect(member.pushes.filter(({ isComplete }) => isComplete)).toEqual([]);
    const metrics = await router.metrics();
    expect(metrics.get('dynamic_sharding_pushes_total{mode="proxy",outcome="refused"}')).toBe(1);
  });

  test("on connections: 503", async () => {
    const { router } = await startRouter({ max_connections: 3 });
    const connect = async () => {
      const client = resources.use(await RawConnection.open(router.address));
      await client.write(put("x 1\n"));
      if ((await client.readResponse()).status === 200) return client;
      client.abort();
      return undefined;
    };
    const clients: RawConnection[] = [];
    // Those that have asked whether the router is ready may still be there.
    while (clients.length < 3) clients.push(await waitFor("a place", connect));
    await using turnedAway = await RawConnection.open(router.address);
    const answer = await turnedAway.readResponse();
    expect(seen(answer)).toEqual({ status: 503, text: "Too many connections: limit is 3\n", connection: "close" });
    expect(answer.header("Retry-After")).toBe("1");
    turnedAway.abort();
    await clients[0]?.write(put("x 1\n"));
    expect((await clients[0]?.readResponse())?.status).toBe(200);
    clients[1]?.abort();
    await waitFor("a place", connect);
  });

  test("on the time that a head takes: 408", async () => {
    const { router } = await startRouter({ header_timeout: "200ms" });
    await using client = await RawConnection.open(router.address);
    await client.write("PUT /metrics/job/a HTTP/1.1\r\nHo");
    const answer = seen(await client.readResponse());
    expect(answer).toEqual({ status: 408, text: "Request head not received in time\n", connection: "close" });
  });

  test.each([
    ["gathered", "1KiB"],
    ["streamed", "100"],
  ])("on the time between two pieces of a body: 408, and no member has a whole one: %s", async (_, kept) => {
    const { router, member } = await startRouter({ body_idle_timeout: "200ms", max_buffered_body_bytes: kept });
    await using client = await RawConnection.open(router.address);
    await client.write(head("Content-Length: 1000") + "x".repeat(500));
    const answer = seen(await client.readResponse());
    expect(answer).toEqual({ status: 408, text: "Request body not received in time\n", connection: "close" });
    await member.pushes[0]?.closed;
    expect(member.pushes.filter(({ isComplete }) => isComplete)).toEqual([]);
  });

  test("on the memory of all bodies together: the next one is streamed", async () => {
    const { router, member } = await startRouter({
      max_buffered_body_bytes: "64KiB",
      max_buffered_total_bytes: "64KiB",
    });
    const half = "x".repeat(30_000);
    const open = async (name: string) => {
      const client = resources.use(await RawConnection.open(router.address));
      await client.write(head("Content-Length: 60000", `X-Name: ${name}`) + half);
      return client;
    };
    const names = () => member.pushes.map((push) => push.header("X-Name"));
    const first = await open("first");
    const second = await open("second");
    const third = await open("third");
    await waitFor("one to be streamed", () => member.pushes.some(({ bodyBytes }) => bodyBytes === half.length));
    expect(names()).toEqual(["third"]);
    for (const client of [first, second, third]) {
      void client.write(half);
      expect((await client.readResponse()).status).toBe(200);
      expect(member.latest.body).toBe(half + half);
    }
    // What they took is given back.
    const fourth = await open("fourth");
    await router.get("/-/healthy");
    expect(names()).not.toContain("fourth");
    void fourth.write(half);
    expect((await fourth.readResponse()).status).toBe(200);
  });

  test("on the memory of all bodies counts what many small pieces cost", async () => {
    const { router, member } = await startRouter({
      max_buffered_body_bytes: "64KiB",
      max_buffered_total_bytes: "64KiB",
    });
    await using client = await RawConnection.open(router.address);
    await client.write(head("Content-Length: 60000"));
    let pieces = 0;
    while (member.pushes.length === 0 && pieces < 5_000) {
      await client.write("x");
      // Lets the router, which shares this event loop, read it by itself.
      await Bun.sleep(0);
      pieces++;
    }
    expect(pieces).toBeLessThan(5_000);
    void client.write("x".repeat(60_000 - pieces));
    expect((await client.readResponse()).status).toBe(200);
    expect(member.latest.bodyBytes).toBe(60_000);
  });

  test("is what the file says after a reload", async () => {
    const { router, member } = await startRouter({ max_body_bytes: "1KiB" });
    const body = put("x".repeat(2_000));
    expect((await rawRequest(router.address, body)).status).toBe(413);
    await using client = await RawConnection.open(router.address);
    await client.write(put("x 1\n"));
    expect((await client.readResponse()).status).toBe(200);
    const limits = { request_timeout: "300ms", stall_timeout: "300ms", max_header_bytes: "4KiB" };
    expect(await router.reconfigure(configOf([member], { limits }))).toEqual({ ok: true });
    await client.write(body);
    expect((await client.readResponse()).status).toBe(200);
    member.script = { onPush: () => {} };
    expect((await rawRequest(router.address, body)).status).toBe(504);
    expect((await rawRequest(router.address, head(`X: ${"x".repeat(5_000)}`))).status).toBe(431);
  });

  test("leaves pushes under way alone when it is reloaded", async () => {
    const { router, member } = await startRouter({});
    member.script = { onPush: () => {} };
    const pushed = router.push("/metrics/job/a");
    await using client = await RawConnection.open(router.address);
    await client.write(`${head("Content-Length: 8")}x 1\n`);
    await waitFor("the push to arrive", () => member.pushes.length === 1);
    const limits = { max_body_bytes: "1B", request_timeout: "300ms", stall_timeout: "300ms" };
    expect(await router.reconfigure(configOf([member], { limits }))).toEqual({ ok: true });
    const [early] = member.pushes;
    member.script = {};
    await client.write("y 2\n");
    expect((await client.readResponse()).status).toBe(200);
    early?.respond(200, "under way");
    expect(await (await pushed).text()).toBe("under way");
  });
});
