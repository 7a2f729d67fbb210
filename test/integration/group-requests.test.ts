import { afterEach, describe, expect, test } from "bun:test";
import { OutputBuffer } from "../../src/http/output-buffer.ts";
import { FeatureDetection } from "../../src/pushgateway/feature-detection.ts";
import { encodeGroupBody, readGroups } from "../../src/pushgateway/group-contents.ts";
import { listGroups } from "../../src/pushgateway/group-listing.ts";
import {
  deleteGroup,
  deleteGroupIfNotNewer,
  putGroup,
  putGroupIfNotNewer,
} from "../../src/pushgateway/group-requests.ts";
import { PushgatewayClient } from "../../src/pushgateway/pushgateway-client.ts";
import { groupIdOf } from "../../src/sharding/group-id.ts";
import { type GroupingKey, groupingKeyOf } from "../../src/sharding/grouping-key.ts";
import { WorkSlices } from "../../src/work-slices.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { FakePushgateway } from "../support/fake-pushgateway.ts";
import { freePort } from "../support/free-port.ts";
import { describeWithParts } from "../support/parts.ts";
import { startPushgateway } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";

const LEGACY = { utf8Names: false, timeoutMs: 10_000 };

let resources = new AsyncDisposableStack();

afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

function clientOf(address: string, maxInFlight = 10): PushgatewayClient {
  const options = {
    maxInFlight,
    maxQueued: 1,
    stallTimeoutMs: 60_000,
    probePath: "/-/healthy",
    probeTimeoutMs: 5_000,
    onUnreachable: () => {},
  };
  const client = new PushgatewayClient(address, options, new OutputBuffer());
  resources.defer(() => client.retire());
  return client;
}

function key(job: string, labels: Readonly<Record<string, string>> = {}): GroupingKey {
  return groupingKeyOf(
    job,
    Object.entries(labels).map(([name, value]) => ({ name, value })),
  );
}

/** A body with one gauge. */
function gauge(name: string, value: number): Buffer {
  const metric = { labels: [], value, timestampMs: undefined, exemplar: undefined, createdAt: undefined };
  return encodeGroupBody([{ name, help: undefined, type: "gauge", metrics: [metric] }]);
}

/** Names of families and push time, by group. */
async function listed(address: string): Promise<Map<string, { names: string[]; pushTime: number }>> {
  const groups = new Map<string, { names: string[]; pushTime: number }>();
  await listGroups(address, { timeoutMs: 10_000, slices: new WorkSlices() }, (group) => {
    groups.set(group.id, { names: [...group.families().keys()].sort(), pushTime: group.pushTime });
  });
  return groups;
}

const KEYS = [
  key("a"),
  key("a", { x: "y" }),
  key("a", { instance: "i" }),
  key("/a b", { empty: "", slash: "/", dots: "..", utf8: "\xc3\xa9" }),
];

for (const version of ["1.5.1", "1.11.0"] as const) {
  await describeWithParts([`pushgateway-${version}`], `requests about groups of Pushgateway ${version}`, () => {
    test("store and delete exactly the group that is meant", async () => {
      await using server = await startPushgateway({ version });
      const client = clientOf(server.address);
      for (const each of KEYS) {
        expect(await putGroup(client, each, gauge("m", 1), "PUT", LEGACY)).toEqual({ ok: true, status: 200 });
      }
      expect([...(await listed(server.address)).keys()].sort()).toEqual(KEYS.map(groupIdOf).sort());
      for (const [i, each] of KEYS.entries()) {
        expect(await deleteGroup(client, each, LEGACY)).toEqual({ ok: true, status: 202 });
        const left = KEYS.slice(i + 1)
          .map(groupIdOf)
          .sort();
        // A DELETE is answered when it is queued.
        await waitFor("the group to go", async () => (await listed(server.address)).size === left.length);
        expect([...(await listed(server.address)).keys()].sort()).toEqual(left);
      }
      expect(await deleteGroup(client, key("never there"), LEGACY)).toEqual({ ok: true, status: 202 });
    });

    test("PUT replaces what POST adds to", async () => {
      await using server = await startPushgateway({ version });
      const client = clientOf(server.address);
      await putGroup(client, key("a"), gauge("first", 1), "PUT", LEGACY);
      await putGroup(client, key("a"), gauge("second", 1), "POST", LEGACY);
      expect((await listed(server.address)).get("a")?.names).toEqual(["first", "second"]);
      await putGroup(client, key("a"), gauge("third", 1), "PUT", LEGACY);
      expect((await listed(server.address)).get("a")?.names).toEqual(["third"]);
    });

    test("a push that is rejected says so", async () => {
      await using server = await startPushgateway({ version });
      const client = clientOf(server.address);
      await putGroup(client, key("a"), gauge("m", 1), "PUT", LEGACY);
      const result = await putGroup(client, key("b"), Buffer.from("no protobuf"), "PUT", LEGACY);
      expect(result).toMatchObject({ ok: false, status: 400, wasSent: true });
    });
  });
}

describe("requests about groups of members in trouble", () => {
  test("nothing was sent where nobody listens", async () => {
    const result = await deleteGroup(clientOf(`127.0.0.1:${freePort()}`), key("a"), LEGACY);
    expect(result).toMatchObject({ ok: false, failure: "unreachable", wasSent: false });
  });

  test("a deadline that passes leaves open what a silent member does", async () => {
    const member = resources.use(await FakePushgateway.start({ onPush: () => {} }));
    const client = clientOf(member.address);
    const result = await deleteGroup(client, key("a"), { ...LEGACY, timeoutMs: 50 });
    const detail = `${member.address} has not answered within 50 ms`;
    expect(result).toEqual({ ok: false, failure: "unresponsive", detail, wasSent: true });
    expect(client.inFlight).toBe(0);
  });

  test("a deadline that passes in the queue leaves nothing open; a full queue takes no more", async () => {
    const member = resources.use(await FakePushgateway.start({ onPush: () => {} }));
    const client = clientOf(member.address, 1);
    const options = { ...LEGACY, timeoutMs: 50 };
    const [, queued, refused] = await Promise.all([
      deleteGroup(client, key("a"), options),
      deleteGroup(client, key("b"), options),
      deleteGroup(client, key("c"), options),
    ]);
    expect(queued).toMatchObject({ ok: false, failure: "unresponsive", wasSent: false });
    expect(refused).toMatchObject({ ok: false, failure: "overloaded", wasSent: false });
  });

  test("a signal gives up what was not sent, before and in the queue, and nothing else", async () => {
    const abort = new AbortController();
    const member = resources.use(await FakePushgateway.start({ onPush: () => {} }));
    const client = clientOf(member.address, 1);
    const options = { ...LEGACY, signal: abort.signal };
    const sent = deleteGroup(client, key("a"), options);
    const queued = deleteGroup(client, key("b"), options);
    await waitFor("the first to arrive", () => member.pushes.length === 1);
    abort.abort();
    const givenUp = { ok: false, detail: "given up before it was sent", wasSent: false };
    expect(await queued).toMatchObject(givenUp);
    expect(await deleteGroup(client, key("c"), options)).toMatchObject(givenUp);
    member.latest.respond(202);
    expect(await sent).toEqual({ ok: true, status: 202 });
    expect(client.inFlight).toBe(0);
  });

  test("an answer that breaks off counts for nothing", async () => {
    const member = resources.use(await FakePushgateway.start());
    member.script = {
      onPush(push) {
        push.write("HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nO");
        push.close();
      },
    };
    const result = await deleteGroup(clientOf(member.address), key("a"), LEGACY);
    expect(result).toMatchObject({ ok: false, failure: "malformed", wasSent: true });
  });

  test("an answer other than success is passed on, in short", async () => {
    const member = resources.use(await FakePushgateway.start());
    member.script = { onPush: (push) => push.respond(500, `write queue\nis full ${"x".repeat(500)}`) };
    const result = await deleteGroup(clientOf(member.address), key("a"), LEGACY);
    const detail = `answers 500: write queue is full ${"x".repeat(180)}`;
    expect(result).toEqual({ ok: false, status: 500, detail, wasSent: true });
  });
});

describe("requests about groups of members that speak the groups API", () => {
  test("delete a group unless it is newer", async () => {
    await using server = await LocalPushgateway.start();
    const client = clientOf(server.address);
    for (const each of KEYS) {
      await putGroup(client, each, gauge("m", 1), "PUT", LEGACY);
      const { pushTime } = (await listed(server.address)).get(groupIdOf(each)) ?? { pushTime: 0 };
      expect(pushTime).toBeGreaterThan(0);
      const before = await deleteGroupIfNotNewer(client, each, pushTime - 0.001, LEGACY);
      expect(before).toMatchObject({ ok: false, status: 409, wasSent: true });
      expect((await listed(server.address)).size).toBe(1);
      expect(await deleteGroupIfNotNewer(client, each, pushTime, LEGACY)).toEqual({ ok: true, status: 202 });
      expect((await listed(server.address)).size).toBe(0);
    }
  });

  test("store a group with the times that it had, unless a newer one is there", async () => {
    await using server = await LocalPushgateway.start();
    const client = clientOf(server.address);
    const times = { pushTime: 1_795_429_858.3332627, pushFailureTime: 1_795_429_000.25 };
    for (const each of KEYS) {
      const body = gauge("m", 1);
      expect(await putGroupIfNotNewer(client, each, body, times, LEGACY)).toEqual({ ok: true, status: 200 });
      const contents = await readGroups(server.address, new Set([groupIdOf(each)]), {
        ...LEGACY,
        slices: new WorkSlices(),
      });
      expect(contents.get(groupIdOf(each))).toMatchObject({ ...times, incomplete: false, families: [{ name: "m" }] });
      const older = { ...times, pushTime: times.pushTime - 1 };
      expect(await putGroupIfNotNewer(client, each, body, older, LEGACY)).toMatchObject({ ok: false, status: 409 });
    }
  });

  test("are told from others, once for each member until it is forgotten", async () => {
    const detection = new FeatureDetection();
    const options = { timeoutMs: 5_000 };
    const server = await LocalPushgateway.start();
    expect(await detection.speaksGroupsApi(server.address, options)).toBe(true);
    await server.stop();
    expect(await detection.speaksGroupsApi(server.address, options)).toBe(true);
    detection.forget(server.address);
    await expect(detection.speaksGroupsApi(server.address, options)).rejects.toThrow("refuses the connection");
    await expect(detection.speaksGroupsApi(server.address, options)).rejects.toThrow("refuses the connection");
  });
});

await describeWithParts(["pushgateway-1.11.0"], "the groups API", () => {
  test("is not spoken by a Pushgateway of others", async () => {
    await using server = await startPushgateway();
    expect(await new FeatureDetection().speaksGroupsApi(server.address, { timeoutMs: 5_000 })).toBe(false);
  });
});
