import { expect, test } from "bun:test";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { describeWithParts } from "../support/parts.ts";
import { DEADLY_PROTOBUF, PROTOBUF_TYPE } from "../support/push-bodies.ts";
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

test.each([
  ["claims to be a message of 34 GB in protobuf, of which 1.5.1 and 1.11.0 die", "/a", DEADLY_PROTOBUF],
  ["has a job that is no base64, after which 1.5.1 answers no push to a job in base64", "@base64/Y", new Uint8Array()],
])("The embedded Pushgateway refuses a push that %s, and goes on", async (_, path, body) => {
  await using local = await LocalPushgateway.start();
  await using own = new PushTarget(local);
  const send = (target: string, body: Uint8Array) =>
    own.send({ method: "PUT", target, headers: [`Content-Type: ${PROTOBUF_TYPE}`], body });

  expect((await send(`/metrics/job${path}`, body)).status).toBe(400);
  expect((await send("/metrics/job@base64/YQ", new Uint8Array())).status).toBe(200);
});
