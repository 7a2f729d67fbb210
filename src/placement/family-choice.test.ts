import { expect, test } from "bun:test";
import type { ContentFamily } from "../pushgateway/group-contents.ts";
import { familiesToCarry, type ReadFamily } from "./family-choice.ts";

/** Times in seconds. `doubted`: since when the member's word counts for less. */
function read(address: string, name: string, seconds: number, doubted?: number, uncertainty = 0.05): ReadFamily {
  const family: ContentFamily = { name, help: undefined, type: "gauge", metrics: [], pushedAt: seconds };
  const doubtedAt = doubted === undefined ? undefined : doubted * 1000;
  return { address, family, pushedAt: { seconds, uncertainty }, doubtedAt, mayBeGone: false };
}

const mayBeGone = (family: ReadFamily): ReadFamily => ({ ...family, mayBeGone: true });

test.each<[string, readonly ReadFamily[], readonly string[]]>([
  ["what the target lacks", [read("a", "x", 5), read("b", "y", 4)], ["y 4"]],
  ["what was pushed elsewhere later", [read("a", "x", 5), read("b", "x", 6)], ["x 6"]],
  ["nothing that was pushed earlier", [read("a", "x", 5), read("b", "x", 4)], []],
  ["nothing that was pushed at the same time", [read("a", "x", 5), read("b", "x", 5)], []],
  [
    "of two that are closer together than clocks are known the likelier one",
    [read("a", "x", 5), read("b", "x", 5.09)],
    ["x 5.09"],
  ],
  [
    "nothing that might be older, where clocks are hardly known",
    [read("a", "x", 5), read("b", "x", 5.5, undefined, 0.6)],
    [],
  ],
  [
    "nothing of a family that may be gone, and nothing that is older",
    [read("b", "x", 4), mayBeGone(read("c", "x", 6)), mayBeGone(read("c", "y", 3)), read("b", "y", 5)],
    ["y 5"],
  ],
  ["the newest of several", [read("b", "x", 4), read("c", "x", 6), read("d", "x", 5)], ["x 6"]],
  [
    "nothing that a thawed member applied late, when it was pushed since",
    [read("a", "x", 7), read("b", "x", 9, 6)],
    [],
  ],
  [
    "over what the target itself applied late, what was pushed since",
    [read("a", "x", 9, 6), read("b", "x", 7)],
    ["x 7"],
  ],
  [
    "over what was pushed before a doubt, what is in doubt: it may have been acknowledged",
    [read("a", "x", 5), read("b", "x", 9, 6)],
    ["x 9"],
  ],
  ["what is in doubt, when nobody else has it: it would be lost", [read("a", "y", 9), read("b", "x", 9, 6)], ["x 9"]],
  ["of two in doubt the newer one", [read("b", "x", 9, 6), read("c", "x", 8, 6)], ["x 9"]],
])("familiesToCarry() gives the target %s", (_, families, expected) => {
  expect(familiesToCarry(families, "a").map(({ family: { name, pushedAt } }) => `${name} ${pushedAt}`)).toEqual([
    ...expected,
  ]);
});
