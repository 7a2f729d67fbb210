import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { constants, type FileHandle, open, rm } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { ChildProcess } from "../support/child-process.ts";
import { freePort } from "../support/free-port.ts";
import { describeWithParts, REPOSITORY } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { type RouterProcess, startRouterProcess } from "../support/router.ts";
import { runCommand } from "../support/run-command.ts";
import { answersOk, temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

/** Nothing listens there; the router starts all the same and has a member that is down. */
const DEAD_SERVER = `127.0.0.1:${freePort()}`;

async function memberAddresses(router: RouterProcess): Promise<readonly string[]> {
  const response = await fetch(`${router.url}/api/v1/members`);
  const text = await response.text();
  return [...text.matchAll(/127\.0\.0\.\d+:\d+/g)].map(([address]) => address).toSorted();
}

async function reloadSuccessful(router: RouterProcess): Promise<string | undefined> {
  const metrics = await (await fetch(`${router.url}/metrics`)).text();
  return /^dynamic_sharding_config_last_reload_successful (\d)$/m.exec(metrics)?.[1];
}

function logLines(router: RouterProcess, message: string): number {
  return router.output().split(`msg="${message}"`).length - 1;
}

const RELOADED = "Reloaded the configuration";
const NOT_RELOADED = "Cannot reload the configuration, the running one stays in place";

describe("reload", () => {
  test("SIGHUP puts a good file into effect; a bad one leaves the running configuration and is reported", async () => {
    await using router = await startRouterProcess({ config: { pushgateway: { servers: [DEAD_SERVER] } } });
    expect(await memberAddresses(router)).toEqual([DEAD_SERVER]);

    const added = `127.0.0.1:${freePort()}`;
    await router.configure({ pushgateway: { servers: [DEAD_SERVER, added] } });
    router.reload();
    await waitFor("the new member", async () => (await memberAddresses(router)).includes(added));
    expect(await reloadSuccessful(router)).toBe("1");

    await router.configure("pushgateway: { servers: [a], drainig: [] }\nlimits: { max_connections: 0 }\n");
    router.reload();
    await waitFor("the failed reload", async () => (await reloadSuccessful(router)) === "0");
    expect(await memberAddresses(router)).toEqual([DEAD_SERVER, added].toSorted());
    expect(router.output()).toContain(`msg="${NOT_RELOADED}" problems=2`);
    expect(router.output()).toContain(
      'line=1 column=30 key=pushgateway.drainig problem="unknown key; did you mean \\"draining\\"?"',
    );

    await router.configure({ pushgateway: { servers: [added] } });
    router.reload();
    await waitFor("the old member to go", async () => !(await memberAddresses(router)).includes(DEAD_SERVER));
    expect(await reloadSuccessful(router)).toBe("1");
  });

  test("/-/reload does the same with --web.enable-lifecycle, and answers with every problem", async () => {
    await using router = await startRouterProcess({
      config: { pushgateway: { servers: [DEAD_SERVER] } },
      args: ["--web.enable-lifecycle"],
    });
    for (const method of ["PUT", "POST"]) {
      expect((await fetch(`${router.url}/-/reload`, { method })).status).toBe(200);
    }
    await router.configure("pushgateway: { servers: [a] }\nroutnig: {}\n");
    const response = await fetch(`${router.url}/-/reload`, { method: "POST" });
    expect(response.status).toBe(500);
    expect(await response.text()).toContain(`${router.configFile}:2:1: routnig: unknown key; did you mean "routing"?`);
    expect(await memberAddresses(router)).toEqual([DEAD_SERVER]);
  });

  test("/-/reload is closed without --web.enable-lifecycle", async () => {
    await using router = await startRouterProcess({ config: { pushgateway: { servers: [DEAD_SERVER] } } });
    expect((await fetch(`${router.url}/-/reload`, { method: "POST" })).status).toBe(403);
    expect(logLines(router, RELOADED)).toBe(0);
  });

  test("--web.listen-address stays in force over http_listen_addr", async () => {
    const servers = { pushgateway: { servers: [DEAD_SERVER] } };
    await using router = await startRouterProcess({ config: { http_listen_addr: "127.0.0.1:1", ...servers } });
    await router.configure({ http_listen_addr: "127.0.0.1:2", ...servers });
    router.reload();
    await waitFor("the reload", () => logLines(router, RELOADED) > 0);
    expect(await answersOk(`${router.url}/-/healthy`)).toBe(true);
    expect(router.output()).not.toContain("Ignoring the new listen address");
  });

  test("a burst of SIGHUPs ends in the last file", async () => {
    await using router = await startRouterProcess({ config: { pushgateway: { servers: [DEAD_SERVER] } } });
    const servers = Array.from({ length: 10 }, () => `127.0.0.1:${freePort()}`);
    for (const server of servers) {
      await router.configure({ pushgateway: { servers: [server] } });
      router.reload();
    }
    await waitFor("the last file", async () => (await memberAddresses(router)).join() === servers.at(-1));
  });
});

describe("logs", () => {
  test("go to stderr alone, one JSON object a line with --log.format=json", async () => {
    const folder = await temporaryFolder("logs");
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "a.yml");
    await Bun.write(file, `pushgateway: { servers: ["${DEAD_SERVER}"] }`);
    const flags = [`--config.file=${file}`, "--web.listen-address=127.0.0.1:0", "--log.format=json"];
    const child = Bun.spawn([join(REPOSITORY, "bin/dynamic-sharding"), ...flags], {
      stdout: "pipe",
      stderr: "pipe",
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    let logged = "";
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      const wasListening = logged.includes("Listening");
      logged += chunk;
      // Once: a second one ends it at once.
      if (!wasListening && logged.includes("Listening")) child.kill("SIGTERM");
    }
    expect(await child.exited).toBe(0);
    expect(await child.stdout.text()).toBe("");
    const messages = logged
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).msg);
    expect(messages).toContain("Listening");
    expect(messages.at(-1)).toBe("Stopped");
  });

  test("may lose their reader without taking the router along", async () => {
    const folder = await temporaryFolder("logs");
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, "a.yml");
    await Bun.write(file, `pushgateway: { servers: ["${DEAD_SERVER}"] }`);
    const address = `127.0.0.1:${freePort()}`;
    const flags = [`--config.file=${file}`, `--web.listen-address=${address}`, "--web.enable-lifecycle"];
    const child = Bun.spawn([join(REPOSITORY, "bin/dynamic-sharding"), ...flags], {
      stdout: "ignore",
      stderr: "pipe",
      timeout: 20_000,
      killSignal: "SIGKILL",
    });
    await waitFor("the router", () => answersOk(`http://${address}/-/healthy`));
    await child.stderr.cancel();
    for (let i = 0; i < 5; i++) {
      expect(await answersOk(`http://${address}/-/reload`, { method: "POST" })).toBe(true);
    }
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });
});

await describeWithParts(["pushgateway-1.11.0"], "stopping", () => {
  /** A push whose body is half there: the router has the head and waits for the rest. */
  async function halfAPush(router: RouterProcess): Promise<Socket> {
    const [host, port] = router.address.split(":");
    const socket = connect({ host: host ?? "", port: Number(port) });
    socket.write(
      "PUT /metrics/job/half HTTP/1.1\r\nHost: router\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
    );
    const [interim] = (await once(socket, "data", { signal: AbortSignal.timeout(10_000) })) as [Buffer];
    expect(interim.toString()).toStartWith("HTTP/1.1 100 ");
    socket.write("value ");
    return socket;
  }

  function refusesConnections(address: string): Promise<boolean> {
    return answersOk(`http://${address}/-/healthy`).then(
      () => false,
      () => true,
    );
  }

  /** Throws while nobody reads. */
  function openForWriting(fifo: string): Promise<FileHandle> {
    return open(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
  }

  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s lets a push under way finish, takes no new one, and exits 0",
    async (signal) => {
      await using pushgateway = await startPushgateway();
      await using router = await startRouterProcess({ config: { pushgateway: { servers: [pushgateway.address] } } });
      const socket = await halfAPush(router);
      router.kill(signal);
      await waitFor("no new connections", () => refusesConnections(router.address));
      expect(router.running).toBe(true);

      const answered = once(socket, "data", { signal: AbortSignal.timeout(10_000) }) as Promise<[Buffer]>;
      socket.write("12345\n");
      expect((await answered)[0].toString()).toStartWith("HTTP/1.1 200 ");
      expect(await router.exited()).toBe(0);
      expect(await (await fetch(`${pushgateway.url}/metrics`)).text()).toContain('value{instance="",job="half"} 12345');
      socket.destroy();
    },
  );

  test.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("a second %s ends the router at once", async (signal, exitCode) => {
    await using pushgateway = await startPushgateway();
    await using router = await startRouterProcess({ config: { pushgateway: { servers: [pushgateway.address] } } });
    const socket = await halfAPush(router);
    router.kill(signal);
    await waitFor("no new connections", () => refusesConnections(router.address));
    router.kill(signal);
    expect(await router.exited()).toBe(exitCode);
    socket.destroy();
  });

  test("a router that still waits for its configuration file exits 0", async () => {
    const folder = await temporaryFolder("fifo");
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    const fifo = join(folder, "a.yml");
    await runCommand(["mkfifo", fifo]);
    await using child = new ChildProcess([join(REPOSITORY, "bin/dynamic-sharding"), `--config.file=${fifo}`]);
    // The kernel lets a writer in only once the router reads.
    const writer = await waitFor("the router to read", () => openForWriting(fifo));
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
    await writer.close();
  });

  test("a router without pushes under way exits 0, idle connections or not", async () => {
    await using router = await startRouterProcess({ config: { pushgateway: { servers: [DEAD_SERVER] } } });
    expect(await answersOk(`${router.url}/-/healthy`)).toBe(true);
    router.kill("SIGTERM");
    expect(await router.exited()).toBe(0);
  });
});
