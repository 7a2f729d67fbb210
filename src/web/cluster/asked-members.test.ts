import { expect, test } from "bun:test";
import type { Member, MemberState } from "../../membership/member.ts";
import { MemberSet } from "../../membership/member-set.ts";
import { allMembers, awayMembers, shownMembers } from "./asked-members.ts";

function setOf(...states: readonly MemberState[]): MemberSet {
  return MemberSet.of(
    states.map((state, index): Member => {
      return { address: `10.0.0.${index}:9091`, state, draining: state === "draining", since: 0, reason: "" };
    }),
  );
}

/** Last part of the host and timeout of each. */
function brief(asked: ReturnType<typeof allMembers>): readonly string[] {
  return asked.map(({ address, timeoutMs }) => `${address.charAt(7)} ${timeoutMs}`);
}

test("members on their way back and those that look down are not shown; the latter are not waited for long", () => {
  const set = setOf("active", "joining", "draining", "down", "active");
  expect(brief(shownMembers(set, 5_000))).toEqual(["0 5000", "2 5000", "4 5000"]);
  expect(brief(allMembers(set, 5_000))).toEqual(["0 5000", "1 5000", "2 5000", "3 1000", "4 5000"]);
  expect(brief(allMembers(set, 500))).toEqual(["0 500", "1 500", "2 500", "3 500", "4 500"]);
  expect(awayMembers(set).map(({ address }) => address)).toEqual(["10.0.0.3:9091"]);
});

test("where most members look down, the router suspects itself and waits for them", () => {
  expect(brief(shownMembers(setOf("active", "down", "down"), 5_000))).toEqual(["0 5000", "1 5000", "2 5000"]);
});

test("members on their way back are shown where nobody else takes pushes", () => {
  expect(brief(shownMembers(setOf("joining", "joining"), 5_000))).toEqual(["0 5000", "1 5000"]);
});
