import { describe, expect, test } from "bun:test";
import type { Member } from "../membership/member.ts";
import { MemberSet } from "../membership/member-set.ts";
import { groupingKeyOf } from "../sharding/grouping-key.ts";
import { PushOwners } from "./push-owners.ts";

const KEY = groupingKeyOf("a", []);
const ADDRESSES = ["10.0.0.1:9091", "10.0.0.2:9091", "10.0.0.3:9091", "10.0.0.4:9091", "10.0.0.5:9091"];

function setWithout(down: readonly string[]): MemberSet {
  const member = (address: string): Member => ({
    address,
    state: down.includes(address) ? "down" : "active",
    draining: false,
    since: 0,
    reason: "",
  });
  return MemberSet.of(ADDRESSES.map(member));
}

function ownersIn(set: MemberSet): readonly string[] {
  return [...set.ownersOf(KEY.canonicalPath)].map(({ address }) => address);
}

/** Everything that `owners` gives, with something happening before each step. */
function walk(owners: PushOwners, before: (step: number) => void = () => {}): readonly string[] {
  const walked: string[] = [];
  for (let step = 0; ; step++) {
    before(step);
    const next = owners.next();
    if (next === undefined) return walked;
    walked.push(next);
  }
}

describe("PushOwners", () => {
  test("gives the owner and then the others in fail-over order", () => {
    const set = setWithout([]);
    const owners = new PushOwners(() => set, KEY);
    expect(walk(owners)).toEqual(ownersIn(set));
    expect(owners.next()).toBeUndefined();
  });

  test("passes over members that fell after the push had begun", () => {
    const [first, second, third, fourth, fifth] = ownersIn(setWithout([])) as [string, string, string, string, string];
    let set = setWithout([]);
    const owners = new PushOwners(() => set, KEY);
    const walked = walk(owners, (step) => {
      if (step === 1) set = setWithout([first, second]);
    });
    expect(walked).toEqual([first, third, fourth, fifth]);
  });

  test("tries no member twice, also when all look down and so all take pushes again", () => {
    const order = ownersIn(setWithout([]));
    let set = setWithout([]);
    const owners = new PushOwners(() => set, KEY);
    const walked = walk(owners, (step) => {
      if (step === 1) set = setWithout(order);
    });
    expect(walked).toEqual(order);
  });

  test("gives those that look down last in a panic, but for the owner", () => {
    const [first, second, third, fourth, fifth] = ownersIn(setWithout([])) as [string, string, string, string, string];
    const set = setWithout([first, second, fourth]);
    expect(set.panic).toBe(true);
    expect(walk(new PushOwners(() => set, KEY))).toEqual([first, third, fifth, second, fourth]);
  });

  test("gives nobody when no member takes pushes", () => {
    expect(new PushOwners(() => MemberSet.of([]), KEY).next()).toBeUndefined();
    expect(new PushOwners(() => undefined, KEY).next()).toBeUndefined();
  });
});
