import { expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { describeWithParts } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { PushTarget } from "./push-target.ts";

for (const version of ["1.5.1", "1.11.0"] as const) {
  await describeWithParts([`pushgateway-${version}`], `The embedded Pushgateway and ${version}`, () => {
    test.each([
      ["differs from another in an empty instance only", "a/instance@base64/="],
      ["is not UTF-8", "a/x/%ff"],
    ])("part where a grouping key %s: that poisons the real one only", async (_, path) => {
      await using server = await startPushgateway({ version });
      await using local = await LocalPushgateway.start();
      await using real = new PushTarget(server);
      await using own = new PushTarget(local);
      const push = (target: PushTarget, group: string) => target.push({ method: "PUT", path: group, body: "" });
      for (const target of [real, own]) expect(await push(target, "a")).toEqual({ status: 200, text: "" });
      expect((await push(own, path)).status).toBe(400);
      expect((await push(real, path)).status).not.toBe(200);
      expect((await push(own, "b")).status).toBe(200);
      expect((await push(real, "b")).status).not.toBe(200);
    });
  });
}
