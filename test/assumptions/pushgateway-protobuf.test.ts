import { expect, test } from "bun:test";
import { gzipSync } from "node:zlib";
import { describeWithParts } from "../support/parts.ts";
import { DEADLY_PROTOBUF, PROTOBUF_SPELLINGS, PROTOBUF_TYPE, protobufGauge } from "../support/push-bodies.ts";
import { startPushgateway } from "../support/pushgateway.ts";

/** More than a Pushgateway needs, and less than the body claims: so it dies at once, and not of the machine's memory. */
const MAX_ADDRESS_SPACE_KIB = 8 * 1024 * 1024;

// Why the router reads the lengths in such bodies before any member gets them.
for (const version of ["1.5.1", "1.11.0"] as const) {
  await describeWithParts([`pushgateway-${version}`], `Pushgateway ${version}`, () => {
    test.each([
      ["plain", "identity", DEADLY_PROTOBUF],
      ["in gzip", "gzip", gzipSync(DEADLY_PROTOBUF)],
    ])("dies of a message in protobuf that claims 34 GB, %s", async (_, encoding, body) => {
      await using gateway = await startPushgateway({ version, maxAddressSpaceKib: MAX_ADDRESS_SPACE_KIB });
      const headers = { "Content-Type": PROTOBUF_TYPE, "Content-Encoding": encoding };
      await fetch(`${gateway.url}/metrics/job/a`, { method: "PUT", headers, body }).catch(() => undefined);
      expect(await gateway.exited()).toBe(2);
      expect(gateway.output()).toContain("out of memory");
    });

    test("reads protobuf announced in other spellings", async () => {
      await using gateway = await startPushgateway({ version });
      for (const type of PROTOBUF_SPELLINGS) {
        const push = { method: "PUT", headers: { "Content-Type": type }, body: protobufGauge("x", 1) };
        expect((await fetch(`${gateway.url}/metrics/job/a`, push)).status).toBe(200);
      }
    });
  });
}
