import { expect, test } from "bun:test";
import type { GroupContents } from "../pushgateway/group-contents.ts";
import { GroupReader } from "./group-reader.ts";

const CONTENTS: GroupContents = { pushTime: 1, pushFailureTime: 0, families: [], incomplete: false };

test("groups that are wanted while a reading is under way share the next one", async () => {
  const readings: string[][] = [];
  const reader = new GroupReader(async (_address, ids) => {
    readings.push([...ids]);
    await Bun.sleep(1);
    return new Map([...ids].map((id) => [id, CONTENTS]));
  });
  const wanted = ["a", "b", "b", "c"].map((id) => reader.read("member", id));
  expect(await Promise.all(wanted)).toEqual([CONTENTS, CONTENTS, CONTENTS, CONTENTS]);
  expect(readings).toEqual([["a"], ["b", "c"]]);
});

test("a group that the member does not have is undefined", async () => {
  const reader = new GroupReader(async () => new Map());
  expect(await reader.read("member", "a")).toBeUndefined();
});

test("a reading that fails fails for its groups only", async () => {
  let isFirst = true;
  const reader = new GroupReader(async (_address, ids) => {
    if (!isFirst) return new Map([...ids].map((id) => [id, CONTENTS]));
    isFirst = false;
    throw new Error("refused");
  });
  const [first, second] = await Promise.allSettled([reader.read("member", "a"), reader.read("member", "b")]);
  expect(first.status).toBe("rejected");
  expect(second).toEqual({ status: "fulfilled", value: CONTENTS });
});
