import { describe, expect, test } from "bun:test";
import type { Member } from "../../membership/member.ts";
import { MemberSet } from "../../membership/member-set.ts";
import { ApiError } from "../json-answer.ts";
import { checkMember } from "./evacuation-route.ts";

const ADDRESS = "10.0.0.1:9091";

function setOf({ state, draining }: Pick<Member, "state" | "draining">): MemberSet {
  return MemberSet.of([{ address: ADDRESS, state, draining, since: 0, reason: "" }]);
}

describe("checkMember()", () => {
  test.each([
    ["active", false, "it is active; drain it first, and wait until it is draining"],
    ["down", false, "it is down; drain it first, and wait until it is draining"],
    ["joining", true, "it is joining; wait until it is draining"],
    ["down", true, "it is down; wait until it is draining"],
  ] as const)("refuses a member that is %s, asked to leave: %p", (state, draining, reason) => {
    const error = new ApiError(400, `Cannot evacuate "${ADDRESS}": ${reason}`);
    expect(() => checkMember(setOf({ state, draining }), ADDRESS)).toThrow(error);
  });

  test("accepts a member that is draining, and no stranger", () => {
    const set = setOf({ state: "draining", draining: true });
    expect(() => checkMember(set, ADDRESS)).not.toThrow();
    expect(() => checkMember(set, "10.0.0.2:9091")).toThrow('Cannot evacuate "10.0.0.2:9091": it is no member');
  });
});
