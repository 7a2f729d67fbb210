import { expect, test } from "bun:test";
import type { GroupContents } from "../pushgateway/group-contents.ts";
import { GroupReader } from "./group-reader.ts";

const CONTENTS: GroupContents = { pushTime: 1, pushFailureTime: 0, families: [], incomplete: false };

test("groups that are wanted in one go share a reading, and those that are wanted while it is under way the next one", async () => {
  const readings: string[][] = [];
  const reader = new GroupReader(async (_address, ids) => {
    readings.push([...ids]);
    await Bun.sleep(1);
    return new Map([...ids].map((id) => [id, CONTENTS]));
  });
  const first = ["a", "b"].map((id) => reader.read("member", id));
  await Promise.resolve();
  const more = ["c", "c", "d"].map((id) => reader.read("member", id));
  expect(await Promise.all([...first, ...more])).toEqual(Array(5).fill(CONTENTS));
  expect(readings).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
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
  const first = reader.read("member", "a");
  await Promise.resolve();
  const second = reader.read("member", "b");
  await expect(first).rejects.toThrow("refused");
  expect(await second).toEqual(CONTENTS);
});

test("a reading is given up when its member has gone down, and what is wanted then can be read again", async () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Promise<Response>(() => {}) });
  let reads = 0;
  const reader = new GroupReader(async (_address, ids, signal) => {
    if (reads++ === 0) await fetch(server.url, { signal });
    return new Map([...ids].map((id) => [id, CONTENTS]));
  });
  const first = reader.read("member", "a");
  await Promise.resolve();
  reader.giveUp("member");
  await expect(first).rejects.toThrow("Cannot read groups of member: it has gone down");
  expect(await reader.read("member", "a")).toEqual(CONTENTS);
  await server.stop(true);
});
