import { expect, test } from "bun:test";
import { probe } from "../../src/pushgateway/probe.ts";
import { describeWithParts } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";

const TIMEOUT_MS = 500;
/** What a starved machine, or a long turn of the event loop, does to the router. */
const STALL_MS = 1_200;

await describeWithParts(["pushgateway-1.11.0"], "a health check", () => {
  test("does not take the router's own stall for the member's", async () => {
    await using pushgateway = await startPushgateway();
    const options = { path: "/-/healthy", timeoutMs: TIMEOUT_MS };
    expect((await probe(pushgateway.address, options)).verdict).toBe("healthy");
    const stalled = probe(pushgateway.address, options);
    Bun.sleepSync(STALL_MS);
    expect((await stalled).verdict).toBe("healthy");
  });

  test("takes a member that does not answer for unreachable all the same", async () => {
    await using pushgateway = await startPushgateway();
    pushgateway.kill("SIGSTOP");
    const stalled = probe(pushgateway.address, { path: "/-/healthy", timeoutMs: TIMEOUT_MS });
    Bun.sleepSync(STALL_MS);
    expect((await stalled).verdict).toBe("unreachable");
    pushgateway.kill("SIGCONT");
  });
});
