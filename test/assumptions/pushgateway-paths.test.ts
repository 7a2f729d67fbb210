import { expect, test } from "bun:test";
import { describeWithParts } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { rawRequest } from "../support/raw-http.ts";

/** The status of a push of nothing, or `none` when the connection closes, or stays silent for a second, instead. */
async function push(address: string, path: string, method = "PUT"): Promise<number | "none"> {
  const bytes = `${method} ${path} HTTP/1.1\r\nHost: pushgateway\r\nContent-Length: 0\r\n\r\n`;
  const answer = await rawRequest(address, bytes, { timeoutMs: 1_000 }).catch(() => undefined);
  return answer?.status ?? "none";
}

// Why the router refuses such paths itself, though a Pushgateway would answer 400 as well.
await describeWithParts(["pushgateway-1.5.1"], "Pushgateway 1.5.1", () => {
  test("never again answers pushes with the job in base64 once one was malformed", async () => {
    await using gateway = await startPushgateway({ version: "1.5.1" });
    expect(await push(gateway.address, "/metrics/job@base64/YQ")).toBe(200);
    expect(await push(gateway.address, "/metrics/job@base64/!")).toBe(400);
    expect(await push(gateway.address, "/metrics/job@base64/YQ")).toBe("none");
    expect(await push(gateway.address, "/metrics/job/a")).toBe(200);
  });
});

// Why such a push must not get there. A DELETE heals it.
await describeWithParts(["pushgateway-1.11.0"], "Pushgateway 1.11.0", () => {
  test.each([
    ["a value that is not UTF-8", "/metrics/job/a/x/%ff", []],
    ["an escaped reserved name", "/metrics/job/a/U___5f__5f_x/y", ["--push.enable-utf8-names"]],
  ])("takes no push at all after one with %s, until that group is deleted", async (_, poison, flags) => {
    await using gateway = await startPushgateway({ flags });
    expect(await push(gateway.address, poison)).toBe("none");
    expect(await push(gateway.address, "/metrics/job/other")).toBe("none");
    expect(await push(gateway.address, poison, "DELETE")).toBe(202);
    expect(await push(gateway.address, "/metrics/job/other")).toBe(200);
  });
});
