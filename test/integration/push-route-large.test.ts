import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { configOf } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { chunked, largeTextBody } from "../support/push-bodies.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { RawConnection } from "../support/raw-http.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";
import { waitFor } from "../support/wait-for.ts";

const BODY_BYTES = 50_000_000;
const MAX_GROWTH_KIB = 40 * 1024;
const CONCURRENT = 4;
/** Such a push keeps a Pushgateway busy for seconds. */
const TEST_TIMEOUT_MS = 60_000;
const LIMITS = { request_timeout: "50s", stall_timeout: "50s" };

async function residentKib(pid: number, what: "VmRSS" | "VmHWM"): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${what}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
}

/** How much larger than before a process gets while something happens, in KiB. */
async function growthOf(pid: number, what: () => Promise<void>): Promise<number> {
  // "5" sets the high-water mark back to what is resident now (proc(5)).
  await writeFile(`/proc/${pid}/clear_refs`, "5");
  const before = await residentKib(pid, "VmRSS");
  await what();
  return (await residentKib(pid, "VmHWM")) - before;
}

/** Waits until a process neither reads nor writes. */
async function settled(pid: number): Promise<void> {
  let last = "";
  await waitFor(
    "the process to settle",
    async () => {
      const previous = last;
      last = await readFile(`/proc/${pid}/io`, "utf8");
      return last === previous;
    },
    { intervalMs: 100 },
  );
}

const FRAMINGS = {
  "with a length": (body: Uint8Array) => [`Content-Length: ${body.length}`, body] as const,
  "in chunks": (body: Uint8Array) => ["Transfer-Encoding: chunked", chunked(body, [100_000, 17, 30_000])] as const,
};

async function push(address: string, path: string, [framing, body]: readonly [string, Uint8Array]): Promise<string> {
  await using client = await RawConnection.open(address, { timeoutMs: TEST_TIMEOUT_MS });
  void client.write(`PUT ${path} HTTP/1.1\r\nHost: router\r\n${framing}\r\n\r\n`);
  void client.write(body);
  const answer = await client.readResponse();
  return `${answer.status} ${answer.text()}`;
}

await describeWithParts(["pushgateway-1.11.0"], "A push of 50 MB", () => {
  let fake: FakePushgateway;
  let pushgateway: Pushgateway;
  let beforeFake: RouterProcess;
  let beforePushgateway: RouterProcess;

  beforeAll(async () => {
    fake = await FakePushgateway.start();
    pushgateway = await startPushgateway();
    beforeFake = await startRouterProcess({ config: configOf([fake], { limits: LIMITS }) });
    beforePushgateway = await startRouterProcess({ config: configOf([pushgateway], { limits: LIMITS }) });
  });

  afterAll(async () => {
    await Promise.all([beforeFake.stop(), beforePushgateway.stop()]);
    await pushgateway.stop();
    await fake[Symbol.asyncDispose]();
  });

  for (const [name, framed] of Object.entries(FRAMINGS)) {
    test(`arrives whole ${name}, and the router hardly grows`, async () => {
      const body = Buffer.alloc(BODY_BYTES);
      for (let i = 0; i < body.length; i += 4) body.writeUInt32LE(i, i);
      const sha256 = createHash("sha256").update(body).digest("hex");
      const growth = await growthOf(beforeFake.pid, async () => {
        expect(await push(beforeFake.address, "/metrics/job/large", framed(body))).toBe("200 ");
      });
      expect(fake.latest.bodyBytes).toBe(BODY_BYTES);
      expect(fake.latest.sha256()).toBe(sha256);
      expect(growth).toBeLessThan(MAX_GROWTH_KIB);
    });

    test(
      `is filed by a Pushgateway ${name}`,
      async () => {
        const body = largeTextBody(BODY_BYTES);
        expect(await push(beforePushgateway.address, "/metrics/job/large", framed(body))).toBe("200 ");
        const { large } = (await groupsOf(pushgateway.url)).get('{"job":"large"}') ?? {};
        expect(large?.metrics.length).toBe(Buffer.from(body).toString("latin1").split("\n").length - 2);
        await fetch(`${pushgateway.url}/metrics/job/large`, { method: "DELETE" });
      },
      TEST_TIMEOUT_MS,
    );
  }

  test("costs little memory also when several come at once and the member is slow", async () => {
    const before = fake.pushes.length;
    fake.script = { onHead: (received) => received.stopReading() };
    const body = Buffer.alloc(BODY_BYTES / 2, "x");
    const growth = await growthOf(beforeFake.pid, async () => {
      const pushes = Array.from({ length: CONCURRENT }, (_, i) =>
        push(beforeFake.address, `/metrics/job/large_${i}`, FRAMINGS["with a length"](body)),
      );
      await waitFor("all pushes to come", () => fake.pushes.length === before + CONCURRENT);
      await settled(beforeFake.pid);
      for (const received of fake.pushes.slice(before)) received.goOnReading();
      expect(await Promise.all(pushes)).toEqual(pushes.map(() => "200 "));
    });
    expect(growth).toBeLessThan(MAX_GROWTH_KIB);
  });
});
