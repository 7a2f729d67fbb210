import { expect, test } from "bun:test";
import { runCommand } from "../support/run-command.ts";

/** Opens connections to itself until no more come about, and prints the code of the error. */
const PROGRAM = `
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const open = () => Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {}, connectError() {} } });
  const kept = [];
  try {
    while (kept.length < 1000) kept.push(await open());
    console.log("no error");
  } catch (error) {
    console.log(error.code);
  }
  process.exit(0);
`;

/**
 * Bun says ECONNREFUSED where the kernel says EMFILE, so a router without a file descriptor left believes that its members
 * refuse connections. It raises its limit to the hard one at start, so that this takes a hard limit below what the router needs.
 */
test("Bun.connect() takes a lack of file descriptors for a refused connection", async () => {
  const limited = ["sh", "-c", 'ulimit -n 100 && exec "$0" -e "$1"', process.execPath, PROGRAM];
  expect((await runCommand(limited)).trim()).toBe("ECONNREFUSED");
});
