import { expect, test } from "bun:test";
import { CarryGuard } from "./carry-guard.ts";

test("a cancelled guard stops who has not begun to write, and lets nobody begin", async () => {
  const guard = new CarryGuard();
  expect(guard.signal.aborted).toBe(false);
  await guard.cancel();
  await guard.whenStopped;
  expect(guard.signal.aborted).toBe(true);
  expect(await guard.write(async () => "written")).toBeUndefined();
});

test("cancelling waits for what is being written, and for nothing behind it", async () => {
  const guard = new CarryGuard();
  const answered = Promise.withResolvers<string>();
  const events: string[] = [];
  const work = guard.write(() => answered.promise).then((text) => events.push(`work goes on: ${text}`));
  void guard.whenStopped.then(() => events.push("stopped"));
  const cancelled = guard.cancel().then(() => events.push("cancelled"));
  await Bun.sleep(1);
  expect(events).toEqual([]);
  answered.resolve("written");
  await Promise.all([work, cancelled]);
  expect(events.toSorted()).toEqual(["cancelled", "work goes on: written"]);
  expect(await guard.write(async () => "more")).toBeUndefined();
});

test("cancelling between two writes does not wait", async () => {
  const guard = new CarryGuard();
  expect(await guard.write(async () => "written")).toBe("written");
  await guard.cancel();
  await guard.whenStopped;
});
