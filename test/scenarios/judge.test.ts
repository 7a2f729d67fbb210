import { expect, test } from "bun:test";
import type { Copy } from "./copies.ts";
import type { Attempt } from "./group-ledger.ts";
import { judgeGroup } from "./judge.ts";

/** "PUT 1" sets scenario_odd to 1, "POST 2" sets scenario_even to 2; a question mark at the end says that nobody knows. */
function attempts(...texts: readonly string[]): readonly Attempt[] {
  return texts.map((text, index) => {
    const [method, value] = text.replace("?", "").split(" ");
    return {
      method: method as Attempt["method"],
      family: Number(value) % 2 === 0 ? "scenario_even" : "scenario_odd",
      value: Number(value),
      router: "r",
      startedAt: index,
      endedAt: index + 1,
      failure: text.endsWith("?") ? "504" : undefined,
    };
  });
}

function copy(even?: number, odd?: number): Copy {
  const values = {
    ...(even !== undefined && { scenario_even: even }),
    ...(odd !== undefined && { scenario_odd: odd }),
  };
  return { address: "a", pushTimeSeconds: 1, values };
}

const good: readonly [title: string, told: readonly Attempt[], copies: readonly Copy[]][] = [
  ["what was put last", attempts("PUT 1", "PUT 3"), [copy(undefined, 3)]],
  ["a PUT replaces the other family", attempts("PUT 1", "PUT 2"), [copy(2)]],
  ["a POST leaves the other family", attempts("POST 1", "POST 2"), [copy(2, 1)]],
  ["nothing after a DELETE", attempts("PUT 1", "DELETE 2"), []],
  ["what came after a DELETE", attempts("POST 1", "DELETE 2", "POST 4"), [copy(4)]],
  ["a push without answer took effect", attempts("PUT 1", "PUT 3?"), [copy(undefined, 3)]],
  ["a push without answer took none", attempts("PUT 1", "PUT 3?"), [copy(undefined, 1)]],
  ["a DELETE without answer took effect", attempts("PUT 1", "DELETE 2?"), []],
  ["a PUT without answer replaced the other family", attempts("POST 1", "PUT 2?"), [copy(2)]],
];

const bad: readonly [fault: string, told: readonly Attempt[], copies: readonly Copy[]][] = [
  ["doubled", attempts("PUT 1"), [copy(undefined, 1), copy(undefined, 1)]],
  ["lost", attempts("PUT 1"), []],
  ["lost", attempts("POST 1", "POST 2"), [copy(2)]],
  ["lost", attempts("PUT 1"), [copy()]],
  ["older", attempts("PUT 1", "PUT 3"), [copy(undefined, 1)]],
  ["older", attempts("PUT 1", "PUT 3?", "PUT 5"), [copy(undefined, 3)]],
  ["returned", attempts("PUT 1", "DELETE 2"), [copy(undefined, 1)]],
  ["returned", attempts("PUT 1", "DELETE 2"), [copy()]],
  ["returned", attempts("PUT 1", "PUT 2"), [copy(2, 1)]],
  ["strange", attempts("PUT 1", "PUT 3"), [copy(undefined, 5)]],
];

test.each(good.map(([title, told, copies]) => ({ title, told, copies })))(
  "the oracle accepts: $title",
  ({ told, copies }) => {
    expect(judgeGroup(told, copies)).toEqual([]);
  },
);

test.each(
  bad.map(([fault, told, copies]) => ({ fault, told, copies, after: told.map((a) => `${a.method} ${a.value}`) })),
)("the oracle calls it $fault after $after", ({ fault, told, copies }) => {
  expect(judgeGroup(told, copies).map((finding) => finding.fault as string)).toEqual([fault]);
});
