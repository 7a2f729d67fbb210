import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HashRing } from "../sharding/hash-ring.ts";
import type { Member, MemberState } from "./member.ts";
import { MemberSet } from "./member-set.ts";

const STATES: Readonly<Record<string, { readonly state: MemberState; readonly draining: boolean }>> = {
  a: { state: "active", draining: false },
  j: { state: "joining", draining: false },
  d: { state: "down", draining: false },
  L: { state: "draining", draining: true },
  D: { state: "down", draining: true },
  J: { state: "joining", draining: true },
};

/** One member for each letter, at 10.0.0.1, 10.0.0.2 and so on. */
function membersOf(letters: string): Member[] {
  return [...letters].map((letter, index) => {
    const known = STATES[letter];
    if (known === undefined) throw new RangeError(`Cannot make a member of "${letter}": no such state`);
    return { ...known, address: `10.0.0.${index + 1}:9091`, since: 0, reason: "" };
  });
}

function takersOf(set: MemberSet): string {
  return set.members.map((_, index) => (set.takesPushes(index) ? "+" : "-")).join("");
}

const KEYS = Array.from({ length: 500 }, (_, index) => `/metrics/job/job-${index}/instance/${index % 7}`);

describe("MemberSet.takesPushes() and .panic", () => {
  test.each<[string, string, boolean, string]>([
    ["aaa", "+++", false, "active members take pushes"],
    ["aaj", "++-", false, "joining ones do not yet"],
    ["aaL", "++-", false, "draining ones do not any more"],
    ["aad", "++-", false, "those that are down do not"],
    ["aadd", "++--", false, "half of the members down is no panic"],
    ["addd", "++++", true, "more than half is"],
    ["add", "+++", true, "a panic brings back all that look down"],
    ["d", "+", true, "the only member gets the pushes, so that the client sees the real error"],
    ["j", "+", false, "and it need not prove itself, since nobody else could take them"],
    ["jjj", "+++", false, "nor need all together"],
    ["ajj", "+--", false, "but while one is active the others do"],
    ["addj", "+---", false, "half of the members down is no panic, even with another joining"],
    ["ddj", "+++", true, "in a panic without active members, joining ones take pushes, too"],
    ["addddj", "+++++-", true, "in a panic with one, they prove themselves first"],
    ["aDDD", "+---", false, "members that were asked to leave cause no panic"],
    ["dDDa", "---+", false, "nor do they count for or against it"],
    ["dDD", "+--", true, "and a panic does not bring them back"],
    ["LLL", "---", false, "nobody takes pushes when all were asked to leave"],
    ["J", "-", false, "asked to leave means asked to leave, also for the last one on its way back"],
    ["", "", false, "no members, no panic"],
  ])("%s gives %s, panic %p: %s", (letters, takers, panic, _why) => {
    const set = MemberSet.of(membersOf(letters));
    expect(takersOf(set)).toBe(takers);
    expect(set.panic).toBe(panic);
  });
});

describe("MemberSet.of()", () => {
  test("sorts members as the ring does", () => {
    const members = membersOf("aaaaaaaaaaaa");
    const set = MemberSet.of(members.toReversed());
    expect(set.members.map(({ address }) => address)).toEqual([...set.ring.members]);
    expect(set.members.map(({ address }) => address)).toEqual(members.map(({ address }) => address).sort());
  });

  test("keeps the ring while the addresses stay the same", () => {
    const set = MemberSet.of(membersOf("aaa"));
    expect(MemberSet.of(membersOf("adL"), set).ring).toBe(set.ring);
  });

  test("builds another ring when a member came or went", () => {
    const set = MemberSet.of(membersOf("aaa"));
    expect(MemberSet.of(membersOf("aaaa"), set).ring).not.toBe(set.ring);
    expect(MemberSet.of(membersOf("aa"), set).ring).not.toBe(set.ring);
    const replaced = membersOf("aaa").map((member) => ({
      ...member,
      address: member.address.replace("10.0.0.3", "10.0.0.4"),
    }));
    expect(MemberSet.of(replaced, set).ring).not.toBe(set.ring);
  });
});

describe("MemberSet.ownerOf() and .ownersOf()", () => {
  test("give the owners of a ring without the members that take no pushes", () => {
    const set = MemberSet.of(membersOf("adjaLa"));
    const ring = HashRing.build(["10.0.0.1:9091", "10.0.0.4:9091", "10.0.0.6:9091"]);
    for (const key of KEYS) {
      expect(set.ownerOf(key)?.address).toBe(ring.members[ring.ownerIndex(key, Uint8Array.of(1, 1, 1))]);
      expect([...set.ownersOf(key)].map(({ address }) => address).sort()).toEqual([...ring.members]);
      expect([...set.ownersOf(key)][0]).toBe(set.ownerOf(key));
    }
  });

  test("give nobody when nobody takes pushes", () => {
    const set = MemberSet.of(membersOf("LL"));
    expect(set.ownerOf("/metrics/job/a")).toBeUndefined();
    expect([...set.ownersOf("/metrics/job/a")]).toEqual([]);
    expect(MemberSet.of([]).ownerOf("/metrics/job/a")).toBeUndefined();
  });
});

describe("MemberSet.fingerprint", () => {
  test("is equal exactly where the same members take pushes", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "j", "d", "L", "D"), minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(letters, letters, (one, other) => {
        const sets = [MemberSet.of(membersOf(one)), MemberSet.of(membersOf(other))] as const;
        const [takers, otherTakers] = sets.map((set) =>
          set.members.filter((_, index) => set.takesPushes(index)).map(({ address }) => address),
        );
        expect(sets[0].fingerprint === sets[1].fingerprint).toBe(String(takers) === String(otherTakers));
      }),
    );
  });

  test("fits into 32 bits and does not depend on the order of discovery", () => {
    const set = MemberSet.of(membersOf("aaa"));
    expect(set.fingerprint).toBe(MemberSet.of(membersOf("aaa").toReversed()).fingerprint);
    expect(Number.isInteger(set.fingerprint)).toBe(true);
    expect(set.fingerprint).toBeGreaterThanOrEqual(0);
    expect(set.fingerprint).toBeLessThan(2 ** 32);
  });
});
