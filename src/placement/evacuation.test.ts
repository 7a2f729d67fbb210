import { describe, expect, test } from "bun:test";
import type { Member, MemberState } from "../membership/member.ts";
import { MemberSet } from "../membership/member-set.ts";
import { groupIdOf } from "../sharding/group-id.ts";
import { groupingKeyOf } from "../sharding/grouping-key.ts";
import { Directory } from "./directory.ts";
import { Doubts } from "./doubts.ts";
import { isKnownToCount } from "./evacuation.ts";
import { Thaws } from "./thaws.ts";

const ID = groupIdOf(groupingKeyOf("a", []));
const FROM = "from:1";
const TO = "to:1";
const OTHER = "other:1";
const NOW = 1_000_000;
const BEFORE = NOW - 70_000;
const PUSHED_AT = { seconds: NOW / 1000 - 60, uncertainty: 0.05 };

function truthAt(address: string) {
  return { address, wholeAt: NOW, at: NOW };
}

function setWith(state: MemberState, since: number): MemberSet {
  const member: Member = { address: FROM, state, draining: true, since, unansweredAt: since, reason: "" };
  return MemberSet.of([member, { address: TO, state: "active", draining: false, since: 0, reason: "" }]);
}

describe("isKnownToCount()", () => {
  const cases: readonly (readonly [string, boolean, (directory: Directory, thaws: Thaws) => void])[] = [
    ["of which nothing is known", true, () => {}],
    ["that an audit found there", true, (directory) => directory.seen(ID, FROM, NOW)],
    ["whose last push it acknowledged", true, (directory) => directory.acknowledged(ID, truthAt(FROM), [])],
    ["that the owner held once", true, (directory) => directory.seen(ID, TO, NOW)],
    [
      "that it acknowledged by a PUT, and a member out of reach has from before",
      true,
      (directory) => directory.acknowledged(ID, truthAt(FROM), [OTHER]),
    ],
    [
      "that a member out of reach may have more of",
      false,
      (directory) => directory.acknowledged(ID, { ...truthAt(FROM), wholeAt: undefined }, [OTHER]),
    ],
    ["that was pushed after it was deleted", true, (directory) => directory.deleted(ID, BEFORE, [FROM])],
    [
      "that was pushed after another member's copy of it, which is gone",
      true,
      (directory) => {
        directory.acknowledged(ID, { address: OTHER, wholeAt: BEFORE, at: BEFORE }, [FROM]);
        directory.forget(ID, OTHER);
      },
    ],
    ["that was deleted", false, (directory) => directory.deleted(ID, NOW, [FROM])],
    ["that the owner acknowledged", false, (directory) => directory.acknowledged(ID, truthAt(TO), [FROM])],
    ["that another member acknowledged", false, (directory) => directory.acknowledged(ID, truthAt(OTHER), [FROM])],
    ["that another member holds", false, (directory) => directory.seen(ID, OTHER, NOW)],
    ["of which a push to the owner was given up", false, (directory) => directory.doubted(ID, TO, NOW)],
    ["of which a push to it was given up", false, (directory) => directory.doubted(ID, FROM, NOW)],
    [
      "that it dates at its thaw",
      false,
      (_, thaws) => {
        const pushedMs = PUSHED_AT.seconds * 1000;
        thaws.membersChanged(setWith("down", pushedMs - 5_000), pushedMs - 5_000);
        thaws.membersChanged(setWith("draining", pushedMs), pushedMs + 500);
      },
    ],
  ];

  test.each(cases)("of a group %s: %p", (_, expected, learn) => {
    const directory = new Directory();
    const thaws = new Thaws();
    learn(directory, thaws);
    const members = () => setWith("draining", 0);
    const context = { directory, doubts: new Doubts(directory, thaws), members };
    expect(isKnownToCount(context, { id: ID, to: TO, pushedAt: PUSHED_AT }, FROM)).toBe(expected);
  });
});
