import { describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type PushgatewayProcess, startPushgatewayProcess } from "../support/embedded-pushgateway.ts";
import { freePort } from "../support/free-port.ts";
import { REPOSITORY } from "../support/parts.ts";
import { tryCommand } from "../support/run-command.ts";
import { answersOk, temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

const LAUNCHER = join(REPOSITORY, "bin/dynamic-sharding");

async function inFolder(check: (folder: string) => Promise<void>): Promise<void> {
  const folder = await temporaryFolder("pushgateway");
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(folder, { recursive: true, force: true }));
  await check(folder);
}

describe("dynamic-sharding pushgateway", () => {
  test("takes pushes, exposes them, and stops with code 0 at a signal", async () => {
    await using server = await startPushgatewayProcess();
    expect((await server.request("PUT", "/metrics/job/a", "x 1\n")).status).toBe(200);
    expect(await server.samples("x{")).toEqual(['x{instance="",job="a"} 1']);
    expect((await server.request("PUT", "/api/v1/admin/wipe")).status).toBe(404);
    expect((await server.request("PUT", "/-/quit")).status).toBe(403);
    server.kill("SIGTERM");
    expect(await server.exited()).toBe(0);
  });

  test("/-/quit ends it with --web.enable-lifecycle, and the wipe is there with --web.enable-admin-api", async () => {
    await using server = await startPushgatewayProcess(["--web.enable-lifecycle", "--web.enable-admin-api"]);
    await server.request("PUT", "/metrics/job/a", "x 1\n");
    expect((await server.request("PUT", "/api/v1/admin/wipe")).status).toBe(202);
    expect(await server.samples("x{")).toEqual([]);
    expect(await (await server.request("POST", "/-/quit")).text()).toBe("Requesting termination... Goodbye!");
    expect(await server.exited()).toBe(0);
  });

  test.each(["http://example.org/pg/", "/pg"])(
    "listens on every address that is given, under the path of %s and the telemetry path",
    async (externalUrl) => {
      const second = `127.0.0.1:${freePort()}`;
      const flags = [`--web.external-url=${externalUrl}`, "--web.telemetry-path=/own", "--web.enable-lifecycle"];
      const third = `127.0.0.1:${freePort()}`;
      const result = tryCommand(
        [LAUNCHER, "pushgateway", `--web.listen-address=${second}`, `--web.listen-address=${third}`, ...flags],
        { timeoutMs: 20_000 },
      );
      await untilAnswering(`http://${second}/pg/-/ready`);
      const push = await fetch(`http://${third}/pg/metrics/job/a`, { method: "PUT", body: "x 1\n" });
      expect(push.status).toBe(200);
      expect(await (await fetch(`http://${second}/pg/own`)).text()).toContain('x{instance="",job="a"} 1\n');
      const { data } = (await (await fetch(`http://${second}/pg/api/v1/status`)).json()) as StatusAnswer;
      expect(data.flags).toMatchObject({
        "web.listen-address": `${second},${third}`,
        "web.external-url": externalUrl,
        "web.telemetry-path": "/own",
        "persistence.interval": "5m0s",
      });
      expect((await fetch(`http://${third}/pg/-/quit`, { method: "PUT" })).status).toBe(200);
      expect((await result).exitCode).toBe(0);
    },
  );

  test("keeps its groups over a stop, with --persistence.file", () =>
    inFolder(async (folder) => {
      await using server = await startPushgatewayProcess([`--persistence.file=${join(folder, "m.db")}`]);
      await server.request("PUT", "/metrics/job/kept/n/1", "x 1\n");
      await server.request("PUT", "/metrics/job/kept/n/2", "x 2\n");
      await server.request("DELETE", "/metrics/job/kept/n/1");
      const before = await server.samples("push_time_seconds{");
      await server.restart();
      expect(await server.samples("x{")).toEqual(['x{instance="",job="kept",n="2"} 2']);
      expect(await server.samples("push_time_seconds{")).toEqual(before);
    }));

  test("loses no push that was answered to kill -9, with --persistence.sync=push", () =>
    inFolder(async (folder) => {
      await using server = await startPushgatewayProcess([
        `--persistence.file=${join(folder, "m.db")}`,
        "--persistence.sync=push",
      ]);
      const acknowledged = new Set<number>();
      const onAcknowledged = (number: number) => {
        acknowledged.add(number);
        if (acknowledged.size === 500) server.kill("SIGKILL");
      };
      await Promise.all(Array.from({ length: 50 }, (_, client) => pushOn(server, client * 1_000, onAcknowledged)));
      await server.exited();
      await server.start();
      const kept = new Set((await server.samples("x{")).map((line) => Number(/n="(\d+)"/.exec(line)?.[1])));
      expect([...acknowledged].filter((number) => !kept.has(number))).toEqual([]);
      expect(acknowledged.size).toBeGreaterThanOrEqual(500);
    }));

  test("does not start with a file that is not its own", () =>
    inFolder(async (folder) => {
      const file = join(folder, "metrics");
      await Bun.write(file, "some text\n".repeat(1_000));
      const argv = [LAUNCHER, "pushgateway", "--web.listen-address=127.0.0.1:0", `--persistence.file=${file}`];
      const { exitCode, stderr } = await tryCommand(argv, { timeoutMs: 20_000 });
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`dynamic-sharding: Cannot open persistence file ${JSON.stringify(file)}: `);
      expect(await Bun.file(file).text()).toStartWith("some text\n");
    }));

  test("does not start on an address that another program has", async () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const address = `127.0.0.1:${other.port}`;
    const argv = [LAUNCHER, "pushgateway", "--web.listen-address=127.0.0.1:0", `--web.listen-address=${address}`];
    const result = await tryCommand(argv, { timeoutMs: 20_000 });
    other.stop(true);
    expect(result).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `dynamic-sharding: Cannot listen on "${address}": another program listens there; stop it or choose another port\n`,
    });
  });
});

/** Pushes groups of consecutive numbers until nobody answers. */
async function pushOn(server: PushgatewayProcess, first: number, onAcknowledged: (n: number) => void): Promise<void> {
  for (let n = first; ; n++) {
    const answer = await server.request("PUT", `/metrics/job/j/n/${n}`, "x 1\n").catch(() => undefined);
    if (answer === undefined) return;
    expect(answer.status).toBe(200);
    onAcknowledged(n);
  }
}

interface StatusAnswer {
  readonly data: { readonly flags: Readonly<Record<string, string>> };
}

async function untilAnswering(url: string): Promise<void> {
  await waitFor(`an answer of ${url}`, () => answersOk(url));
}
