import { describe, expect, test } from "bun:test";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { REPOSITORY } from "../support/parts.ts";
import { runCommand, tryCommand } from "../support/run-command.ts";
import { temporaryFolder } from "../support/server-process.ts";

const LAUNCHER = join(REPOSITORY, "bin/dynamic-sharding");
const TESTDATA = join(REPOSITORY, "test/testdata/config");

/** Runs the program in the folder of the test data. */
function run(...args: readonly string[]) {
  return tryCommand([LAUNCHER, ...args], { cwd: TESTDATA, timeoutMs: 20_000 });
}

describe("dynamic-sharding", () => {
  test.each([[["--help"]], [["-h"]], [["check-config", "--help"]], [["pushgateway", "--help"]]])(
    "%j explains itself on stdout",
    async (args) => {
      const result = await run(...args);
      expect(result).toMatchObject({ exitCode: 0, stderr: "" });
      expect(result.stdout).toStartWith("usage: dynamic-sharding ");
    },
  );

  test("--version names its own version and Bun's", async () => {
    const { version, dependencies } = packageJson;
    expect(await run("--version")).toEqual({
      exitCode: 0,
      stdout: `dynamic-sharding, version ${version} (bun ${dependencies.bun})\n`,
      stderr: "",
    });
  });

  test.each([
    [["--log.levle=debug"], 'unknown flag "--log.levle" for dynamic-sharding; did you mean "--log.level"?'],
    [["--log.format=xml"], 'flag --log.format: expected one of logfmt, json, got "xml"'],
    [["chekc-config"], 'unknown command "chekc-config"; did you mean "check-config"?'],
  ])("%j is a usage error", async (args, message) => {
    expect(await run(...args)).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `dynamic-sharding: ${message}\nFor all flags and commands: dynamic-sharding --help\n`,
    });
  });

  test.each([
    [["check-config"], "check-config: expected at least one file", "check-config"],
    [["pushgateway", "metrics.db"], 'pushgateway: unexpected argument "metrics.db"', "pushgateway"],
    [
      ["pushgateway", "--persistence.fiel=m.db"],
      'unknown flag "--persistence.fiel" for dynamic-sharding pushgateway; did you mean "--persistence.file"?',
      "pushgateway",
    ],
    [["groups", "list", "--timeout=0"], 'flag --timeout: expected at least 1ms, got "0"', "groups list"],
  ])("%j is one that points to the help of the command", async (args, message, command) => {
    expect(await run(...args)).toEqual({
      exitCode: 2,
      stdout: "",
      stderr: `dynamic-sharding: ${message}\nFor all flags: dynamic-sharding ${command} --help\n`,
    });
  });

  test("does not start without the file that --config.file names", async () => {
    const stderr = "none.yml: cannot read the file: no such file\n";
    expect(await run("--config.file=none.yml")).toEqual({ exitCode: 1, stdout: "", stderr });
  });

  test("names every problem of its configuration when it does not start", async () => {
    const { stderr } = await run("--config.file=unknown-keys.bad.yml");
    expect(stderr.trimEnd().split("\n").length).toBeGreaterThan(5);
  });

  test("does not start on an address that another program has", async () => {
    const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const address = `127.0.0.1:${other.port}`;
    const result = await run("--config.file=minimal.good.yml", `--web.listen-address=${address}`);
    other.stop(true);
    expect(result).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `dynamic-sharding: Cannot listen on "${address}": another program listens there; stop it or choose another port\n`,
    });
  });
});

describe("dynamic-sharding check-config", () => {
  test("sums up a good file", async () => {
    expect(await run("check-config", "full.good.yml")).toEqual({
      exitCode: 0,
      stdout:
        'full.good.yml: SUCCESS: 2 servers, 1 draining, service "pgw" in Consul at consul.example.org:8501, ' +
        "mode auto, listening on [::1]:9293\n",
      stderr: "",
    });
  });

  test("prints every problem of every file in the order given, and fails if any file is bad", async () => {
    expect(await run("check-config", "list.bad.yml", "minimal.good.yml", "no-such.yml")).toEqual({
      exitCode: 1,
      stdout: [
        "list.bad.yml:1:1: expected a mapping of keys to values\n",
        "minimal.good.yml: SUCCESS: 5 servers, mode proxy, listening on :9292\n",
        "no-such.yml: cannot read the file: no such file\n",
      ].join(""),
      stderr: "",
    });
  });

  test("says what a file without Pushgateways leads to", async () => {
    expect(await run("check-config", "no-servers.good.yml")).toMatchObject({
      exitCode: 0,
      stdout:
        "no-servers.good.yml: SUCCESS: no servers, so embedded Pushgateways will start, in memory only, " +
        "mode proxy, listening on :9292\n",
    });
  });

  test("takes the predecessor's file as it is", async () => {
    expect(await run("check-config", "predecessor.good.yml")).toMatchObject({ exitCode: 0 });
  });

  test("prints all of a long report into a pipe that is read slowly", async () => {
    const folder = await temporaryFolder("slow");
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    const fifo = join(folder, "stdout");
    await runCommand(["mkfifo", fifo]);

    const files = Array.from({ length: 60 }, () => "values.bad.yml");
    const script = 'fifo=$1; shift; exec "$0" check-config "$@" >"$fifo"';
    const finished = tryCommand(["sh", "-c", script, LAUNCHER, fifo, ...files], { cwd: TESTDATA, timeoutMs: 20_000 });
    let text = "";
    for await (const chunk of createReadStream(fifo, { encoding: "utf8", highWaterMark: 4096 })) {
      text += chunk;
      await Bun.sleep(1);
    }
    expect(await finished).toMatchObject({ exitCode: 1 });
    expect(text).toBe((await run("check-config", "values.bad.yml")).stdout.repeat(files.length));
  });
});
