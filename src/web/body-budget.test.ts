import { expect, test } from "bun:test";
import { BodyBudget } from "./body-budget.ts";

test("BodyBudget gives what there is, all or nothing, and takes it back", () => {
  const budget = new BodyBudget(100);
  expect(budget.take(60)).toBe(true);
  expect(budget.take(41)).toBe(false);
  expect(budget.take(40)).toBe(true);
  expect(budget.take(1)).toBe(false);
  budget.giveBack(60);
  expect(budget.take(60)).toBe(true);
  budget.giveBack(100);
  expect(budget.take(100)).toBe(true);
});

test("BodyBudget of nothing gives nothing", () => {
  expect(new BodyBudget(0).take(1)).toBe(false);
});
