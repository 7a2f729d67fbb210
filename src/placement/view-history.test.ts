import { expect, test } from "bun:test";
import type { Member } from "../membership/member.ts";
import { MemberSet } from "../membership/member-set.ts";
import { ViewHistory } from "./view-history.ts";

const PATH = "/metrics/job/a";

function setOf(...addresses: readonly string[]): MemberSet {
  const member = (address: string): Member => ({ address, state: "active", draining: false, since: 0, reason: "" });
  return MemberSet.of(addresses.map(member));
}

test("knows who owned a group under each recent view, and forgets it in time", () => {
  const history = new ViewHistory(60_000);
  expect(history.isEmpty(0)).toBe(true);
  history.add(setOf("a:1"), 0);
  history.add(setOf("b:1"), 30_000);
  expect([...history.ownersOf(PATH)]).toEqual(["a:1", "b:1"]);
  expect(history.isEmpty(59_999)).toBe(false);
  expect(history.isEmpty(60_001)).toBe(false);
  expect([...history.ownersOf(PATH)]).toEqual(["b:1"]);
  expect(history.isEmpty(90_001)).toBe(true);
});

test("remembers the latest views when they change faster than they are forgotten", () => {
  const history = new ViewHistory(60_000);
  for (let i = 0; i < 100; i++) history.add(setOf(`m${i}:1`), i);
  expect([...history.ownersOf(PATH)]).toEqual(Array.from({ length: 16 }, (_, index) => `m${84 + index}:1`));
});

test("a view in which nobody takes pushes has no owner", () => {
  const history = new ViewHistory(60_000);
  history.add(setOf(), 0);
  expect([...history.ownersOf(PATH)]).toEqual([]);
});

test("a view that somebody still goes by is remembered for longer", () => {
  const history = new ViewHistory(60_000);
  history.add(setOf("a:1"), 0);
  history.renew(50_000);
  expect(history.isEmpty(109_999)).toBe(false);
  expect(history.isEmpty(110_001)).toBe(true);
  history.renew(120_000);
  expect(history.isEmpty(120_000)).toBe(true);
});
