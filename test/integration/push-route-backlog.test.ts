import { expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { freePort } from "../support/free-port.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { answersOk, ServerProcess } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

/** More than the kernel accepts for a Bun process that does not: a thousand. */
const FILLERS = 1_500;
const TEST_TIMEOUT_MS = 20_000;

/** Opens connections until no more come about. */
function fillBacklog(port: number, resources: DisposableStack): { connected: number } {
  const filled = { connected: 0 };
  for (let i = 0; i < FILLERS; i++) {
    const socket = resources.adopt(connect(port, "127.0.0.1"), (open: Socket) => open.destroy());
    socket.on("connect", () => filled.connected++);
    socket.on("error", () => {});
  }
  return filled;
}

test(
  "A push goes to the next member when the owner is frozen and connections to it do not even come about",
  async () => {
    const port = freePort();
    const serve = `Bun.serve({ hostname: "127.0.0.1", port: ${port}, fetch: () => new Response("OK") })`;
    const ready = () => answersOk(`http://127.0.0.1:${port}/-/healthy`);
    await using owner = new ServerProcess({ name: "owner", argv: [process.execPath, "-e", serve], ready });
    await owner.start();
    await using next = await FakePushgateway.start();
    const slowChecks = { interval: "1h", timeout: "300ms" };
    const servers = [{ address: `127.0.0.1:${port}` }, next];
    const limits = { stall_timeout: "300ms" };
    await using router = await LocalRouter.start(configOf(servers, { limits, health_check: slowChecks }));
    const path = await router.pathOwnedBy(`127.0.0.1:${port}`);
    await owner.freeze();
    using resources = new DisposableStack();
    const filled = fillBacklog(port, resources);
    let before = 0;
    const noMoreCome = () => {
      const isFull = filled.connected > 0 && filled.connected === before;
      before = filled.connected;
      return isFull;
    };
    await waitFor("the backlog to be full", noMoreCome, { intervalMs: 200 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => router.push(path)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(next.pushes.length).toBe(10);
    const metrics = await router.metrics();
    expect(metrics.get('dynamic_sharding_failovers_total{reason="unreachable"}')).toBe(10);
    expect(filled.connected).toBeLessThan(FILLERS);
  },
  TEST_TIMEOUT_MS,
);
