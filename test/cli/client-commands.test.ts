import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { freePort } from "../support/free-port.ts";
import { describeWithParts, REPOSITORY } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { tryCommand } from "../support/run-command.ts";

const LAUNCHER = join(REPOSITORY, "bin/dynamic-sharding");

function run(url: string, ...args: readonly string[]) {
  return tryCommand([LAUNCHER, ...args, `--router.url=${url}`], { timeoutMs: 20_000 });
}

const COMMANDS = [
  ["groups", "list"],
  ["groups", "delete", '--match={job="a"}'],
  ["plan", "--add=127.0.0.1:1"],
  ["evacuate", "127.0.0.1:1"],
];

describe("a command that asks a router", () => {
  test.each(COMMANDS)("says what to do when there is none: %s %s", async (...args) => {
    const url = `http://127.0.0.1:${freePort()}`;
    expect(await run(url, ...args.filter((arg) => arg !== undefined))).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `dynamic-sharding: Cannot reach the router at ${url}: connection refused; start it, or name the right one with --router.url=URL\n`,
    });
  });

  test("gives up after --timeout", async () => {
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    const url = `http://127.0.0.1:${silent.port}`;
    expect(await run(url, "groups", "list", "--timeout=100ms")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `dynamic-sharding: The router at ${url} has not answered within 100ms: allow more with --timeout, or see its log for what keeps it\n`,
    });
  });
});

await describeWithParts(["pushgateway-1.11.0"], "a command that asks what is no router", () => {
  test.each(COMMANDS)("says so: %s %s", async (...args) => {
    await using pushgateway = await startPushgateway();
    const { exitCode, stdout, stderr } = await run(pushgateway.url, ...args.filter((arg) => arg !== undefined));
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toMatch(
      new RegExp(`^dynamic-sharding: What is at ${pushgateway.url} does not know [A-Z]+ /api/v1/\\S+: name a router`),
    );
  });
});
