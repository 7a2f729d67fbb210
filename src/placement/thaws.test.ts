import { expect, test } from "bun:test";
import type { Member } from "../membership/member.ts";
import { MemberSet } from "../membership/member-set.ts";
import { Directory } from "./directory.ts";
import { Doubts } from "./doubts.ts";
import { Thaws } from "./thaws.ts";

const ADDRESSES = ["a", "b", "c"];

/** Where nothing is said of a member it is active. Times in milliseconds. */
function setOf(members: Readonly<Record<string, Partial<Member>>>): MemberSet {
  const all = ADDRESSES.map((address): Member => {
    return { address, state: "active", draining: false, since: 0, reason: "", ...members[address] };
  });
  return MemberSet.of(all);
}

/** The member `a` goes down at 100 s and is back at 110 s; checks went unanswered until 109.8 s. */
function thawed(down: Partial<Member> = {}, others: Readonly<Record<string, Partial<Member>>> = {}): Thaws {
  const thaws = new Thaws();
  const before = setOf({ ...others, a: { state: "down", since: 100_000 } });
  const after = setOf({ ...others, a: { state: "joining", since: 110_000, unansweredAt: 109_800, ...down } });
  thaws.membersChanged(before, 100_000);
  thaws.membersChanged(after, 110_000);
  return thaws;
}

const at = (seconds: number, uncertainty = 0.05) => ({ seconds, uncertainty });
const aboutA = (thaws: Thaws, seconds: number, directory = new Directory()) =>
  new Doubts(directory, thaws).about("job", "a", at(seconds));

test("what a member dates within its thaw counts for less than what was pushed elsewhere since the outage", () => {
  const thaws = thawed();
  const doubted = [99, 109.7, 109.8, 110, 111, 111.1].map((seconds) => aboutA(thaws, seconds) !== undefined);
  expect(doubted).toEqual([false, false, true, true, true, false]);
  expect(aboutA(thaws, 110)).toBeLessThanOrEqual(100_000);
  expect(new Doubts(new Directory(), thaws).about("job", "b", at(110))).toBeUndefined();
});

test("nothing was stuck in a member that answered, that died, or that was pushed to all the same", () => {
  expect(aboutA(thawed({ unansweredAt: undefined }), 110)).toBeUndefined();
  expect(aboutA(thawed({ unansweredAt: 90_000 }), 110)).toBeUndefined();
  expect(aboutA(thawed({}, { b: { state: "down" } }), 110)).toBeUndefined();
});

test("a member that dates something within its outage was not frozen, and its dates are to be trusted", () => {
  const told = [99.9, 100.02, 100.1, 105, 108.7, 108.8, 110].map((seconds) => {
    const thaws = thawed();
    thaws.seen("a", at(seconds));
    return aboutA(thaws, 110) === undefined;
  });
  expect(told).toEqual([false, false, true, true, true, false, false]);
  const thaws = thawed();
  thaws.seen("b", at(105));
  expect(aboutA(thaws, 110)).toBeDefined();
});

test("a push that this router gave up may then explain what was dated at the end of the outage, and nothing after it", () => {
  const directory = new Directory();
  directory.doubted("job", "a", 99_000);
  const thaws = thawed();
  thaws.seen("a", at(105));
  const explained = [99.5, 105, 108, 110, 111.2].map((seconds) => aboutA(thaws, seconds, directory) !== undefined);
  expect(explained).toEqual([true, false, false, true, false]);
});

test("a push that this router gave up is applied by the end of the thaw", () => {
  const directory = new Directory();
  directory.doubted("job", "a", 101_000);
  const thaws = thawed();
  expect(aboutA(thaws, 110.9, directory)).toBe(101_000);
  expect(aboutA(thaws, 111.2, directory)).toBeUndefined();
  // One that was given up since may still be in the queue.
  directory.doubted("job", "a", 110_100);
  expect(aboutA(thaws, 130, directory)).toBe(110_100);
});

test("a push that this router gave up is applied after half a minute in service at the latest", () => {
  const directory = new Directory();
  directory.doubted("job", "a", 101_000);
  const explained = (thaws: Thaws) =>
    [131, 131.1, 150, 150.1].map((seconds) => aboutA(thaws, seconds, directory) !== undefined);
  const inService = new Thaws();
  inService.membersChanged(setOf({}), 0);
  expect(explained(inService)).toEqual([true, false, false, false]);
  // Back in service where Consul had taken it out, or from a restart, or under another name for a while.
  inService.membersChanged(setOf({ a: { state: "active", since: 120_000 } }), 120_000);
  expect(explained(inService)).toEqual([true, true, true, false]);
  inService.membersChanged(setOf({ a: { state: "joining", since: 120_000 } }), 120_000);
  expect(explained(inService)).toEqual([true, true, true, true]);
  expect(explained(new Thaws())).toEqual([true, true, true, true]);
});

test("a member that left and came anew has no past", () => {
  const thaws = thawed();
  const without = MemberSet.of(setOf({}).members.filter(({ address }) => address !== "a"));
  thaws.membersChanged(without, 120_000);
  expect(aboutA(thaws, 110)).toBeUndefined();
  expect(thawed().isRecent("a", 110_500)).toBe(true);
  expect(thawed().isRecent("a", 112_000)).toBe(false);
});
