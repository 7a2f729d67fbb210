import { expect, test } from "bun:test";
import { KeyGates } from "./key-gates.ts";

test("work on one group is done in turn, on different ones side by side", async () => {
  const gates = new KeyGates();
  const steps: string[] = [];
  const work = (name: string) => async () => {
    steps.push(`${name} begins`);
    await Bun.sleep(1);
    steps.push(`${name} ends`);
  };
  await Promise.all([gates.close("a", work("1")), gates.close("a", work("2")), gates.close("b", work("3"))]);
  expect(steps.indexOf("1 ends")).toBeLessThan(steps.indexOf("2 begins"));
  expect(steps.indexOf("3 begins")).toBeLessThan(steps.indexOf("1 ends"));
});

test("a gate is open before and after, also after work that fails", async () => {
  const gates = new KeyGates();
  expect(gates.whenOpen("a")).toBeUndefined();
  const failed = gates.close("a", () => Promise.reject(new Error("no")));
  expect(gates.isAnyClosed).toBe(true);
  const opened = gates.whenOpen("a");
  await failed.catch(() => {});
  await opened;
  expect(gates.isAnyClosed).toBe(false);
});
