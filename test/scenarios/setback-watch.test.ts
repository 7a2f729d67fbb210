import { expect, test } from "bun:test";
import type { Copy } from "./copies.ts";
import { scenarioGroups } from "./scenario-group.ts";
import { SetbackWatch } from "./setback-watch.ts";

type Look = Readonly<Record<string, Copy["values"]>>;

/** What the watch finds in these looks at one group; members are named by a letter, and "x" answers no more after the first look. */
function faultsOf(looks: readonly Look[], ...requests: readonly ["PUT" | "DELETE", number][]): string[] {
  const [group] = scenarioGroups({ eager: 0, busy: 1, slow: 0, quiet: 0 });
  if (group === undefined) throw new Error("Cannot watch: there is no group");
  for (const [method, value] of requests) {
    const request = { method, family: "scenario_odd", value } as const;
    group.begun.push(request);
    group.attempts.push({ ...request, router: "r", startedAt: 0, endedAt: 0, failure: undefined });
  }
  const watch = new SetbackWatch();
  for (const [at, look] of looks.entries()) {
    const copies = Object.entries(look).map(([address, values]) => ({ address, pushTimeSeconds: 0, values }));
    watch.note({ group, copies, reached: new Set(at === 0 ? ["a", "b", "x"] : ["a", "b"]), at });
  }
  return watch.setbacks.map(({ fault, family, from, to }) => `${fault} ${family} ${from} to ${to}`);
}

const old = { scenario_even: 2 };
const recent = { scenario_even: 6 };

test("a newer copy that goes while an older one stays is seen", () => {
  expect(faultsOf([{ a: recent, b: old }, { b: old }, { b: old }])).toEqual(["older scenario_even 6 to 2"]);
});

test("a copy that a single look misses is not gone", () => {
  expect(faultsOf([{ a: recent, b: old }, { b: old }, { a: recent }, { b: old }, { a: recent }])).toEqual([]);
});

test("a copy on a member out of reach is not gone", () => {
  expect(faultsOf([{ x: recent, b: old }, { b: old }, { b: old }, { b: old }])).toEqual([]);
});

test("what was deleted or replaced may go before the older copies do", () => {
  expect(faultsOf([{ a: recent, b: old }, { b: old }, { b: old }], ["DELETE", 7])).toEqual([]);
  expect(faultsOf([{ a: recent, b: old }, { b: old }, { b: old }], ["PUT", 7])).toEqual([]);
});

test("a replaced or deleted family beside a newer one is seen", () => {
  const joined = { scenario_even: 2, scenario_odd: 9 };
  expect(faultsOf([{ a: joined }], ["PUT", 9])).toEqual(["returned scenario_even 9 to 2"]);
  expect(faultsOf([{ a: joined }], ["DELETE", 7])).toEqual(["returned scenario_even 7 to 2"]);
  expect(faultsOf([{ a: joined }], ["PUT", 1], ["PUT", 11])).toEqual([]);
});
