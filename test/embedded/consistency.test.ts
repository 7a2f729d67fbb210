import { expect, test } from "bun:test";
import fc from "fast-check";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { ACCEPTED_DIFFERENCES, type Comparison, type Outcome, REJECTED } from "./accepted-differences.ts";
import { type TextPush, textPush } from "./push-arbitrary.ts";
import { essence, familyNames, ownTarget, type PushTarget, realTarget } from "./push-target.ts";

/** Set EMBEDDED_SEED to try other pushes. A run without it tries the same ones each time, so that a change is what fails. */
const { EMBEDDED_SEED = "20261123" } = process.env;
const TIMEOUT_MS = 120_000;
const SEQUENCES = 60;
const PUSHES_IN_SEQUENCE = 25;
const BARRIER: TextPush = { method: "PUT", path: "barrier", body: "" };

function startOracle(version: "1.5.1" | "1.11.0"): Promise<Pushgateway> {
  return startPushgateway({ version, flags: ["--web.enable-admin-api", "--log.level=error"] });
}

/** What a push did to the store: it was taken, refused with a mark in its group, or not even read. */
function effect({ status, text }: Outcome): "taken" | "refused" | "unread" {
  if (status === 200 || status === 202) return "taken";
  return status === "none" || text.startsWith(REJECTED) ? "refused" : "unread";
}

/** Differences that nobody accepted. */
async function differences(
  version: "1.5.1" | "1.11.0",
  pushes: readonly TextPush[],
  [real, own]: readonly [PushTarget, PushTarget],
): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const push of pushes) {
    const theirs = await real.push(push);
    const ours = await own.push(push);
    if (theirs.status === ours.status && theirs.text === ours.text) continue;
    const comparison: Comparison = { version, body: push.body, theirs, ours };
    if (!ACCEPTED_DIFFERENCES.some(({ explains }) => explains(comparison))) found.push({ push, theirs, ours });
    // Once they hold something else, all that follows is incomparable.
    if (effect(theirs) !== effect(ours)) return found;
  }
  // A real Pushgateway answers a DELETE, and 1.11.0 a push that it refuses, before it has done all that follows from it.
  // One that it takes is answered once everything before it is done.
  for (const target of [real, own]) expect(await target.push(BARRIER)).toEqual({ status: 200, text: "" });
  const [theirs, ours] = [await real.metrics(), await own.metrics()];
  expect(essence(ours)).toEqual(essence(theirs));
  expect(familyNames(ours)).toEqual(familyNames(theirs));
  return found;
}

for (const version of ["1.5.1", "1.11.0"] as const) {
  await describeWithParts([`pushgateway-${version}`], `The embedded Pushgateway and ${version}`, () => {
    test(
      "answer the same pushes alike, and expose the same of them",
      async () => {
        await using server = await startOracle(version);
        const targets = [realTarget(server), ownTarget()] as const;
        const sequence = fc.array(textPush, { minLength: PUSHES_IN_SEQUENCE, maxLength: PUSHES_IN_SEQUENCE });
        await fc.assert(
          fc.asyncProperty(sequence, async (pushes) => {
            for (const target of targets) await target.wipe();
            expect(await differences(version, pushes, targets)).toEqual([]);
          }),
          { seed: Number(EMBEDDED_SEED), numRuns: SEQUENCES, endOnFailure: true },
        );
      },
      TIMEOUT_MS,
    );

    test.each([
      ["differs from another in an empty instance only", "a/instance@base64/="],
      ["is not UTF-8", "a/x/%ff"],
    ])("part where a grouping key %s: that poisons the real one only", async (_, path) => {
      await using server = await startOracle(version);
      const [real, own] = [realTarget(server), ownTarget()];
      const push = (target: PushTarget, group: string) => target.push({ method: "PUT", path: group, body: "" });
      for (const target of [real, own]) expect(await push(target, "a")).toEqual({ status: 200, text: "" });
      expect((await push(own, path)).status).toBe(400);
      expect((await push(real, path)).status).not.toBe(200);
      expect((await push(own, "b")).status).toBe(200);
      expect((await push(real, "b")).status).not.toBe(200);
    });
  });
}
