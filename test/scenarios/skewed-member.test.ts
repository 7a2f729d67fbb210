import { expect, test } from "bun:test";
import { readGroups } from "../../src/pushgateway/group-contents.ts";
import { groupIdOf } from "../../src/sharding/group-id.ts";
import { parsePushPath } from "../../src/sharding/grouping-key.ts";
import { WorkSlices } from "../../src/work-slices.ts";
import { freePort } from "../support/free-port.ts";
import { describeWithParts } from "../support/parts.ts";
import { copiesAt } from "./copies.ts";
import { skewedMemberAt } from "./skewed-member.ts";

const AHEAD = -30.4;

await describeWithParts(["pushgateway-1.11.0"], "A member with a skewed clock", () => {
  test("tells times of its own in all its answers and is a Pushgateway otherwise", async () => {
    const place = { index: 0, host: "127.0.0.1", port: freePort(), folder: "" };
    await using member = await skewedMemberAt(AHEAD)(place);
    await member.start();
    const now = Date.now() / 1_000;
    const near = (seconds: number) => Math.abs(seconds - now - AHEAD);
    const path = "/metrics/job/a/instance/b%7D%22c";
    const pushed = await fetch(`${member.url}${path}`, { method: "PUT", body: "scenario_odd 5\n" });
    expect(pushed.status).toBe(200);
    expect(near(Date.parse(pushed.headers.get("date") ?? "") / 1_000)).toBeLessThan(5);

    const [copy] = (await copiesAt([member])).get('{"instance":"b}\\"c","job":"a"}') ?? [];
    expect(copy).toMatchObject({ address: member.address, values: { scenario_odd: 5 } });
    expect(near(copy?.pushTimeSeconds ?? 0)).toBeLessThan(5);

    const listed = await (await fetch(`${member.url}/api/v1/metrics`)).text();
    const familyTimes = [...listed.matchAll(/"time_stamp":"([^"]*)"/g)].map(
      ([, date]) => Date.parse(date ?? "") / 1_000,
    );
    expect(familyTimes.length).toBeGreaterThan(0);
    expect(familyTimes.filter((seconds) => !(near(seconds) < 5))).toEqual([]);

    const id = groupIdOf(parsePushPath(path, { utf8Names: false }));
    for (let value = 1; value <= 20; value++) {
      await fetch(`${member.url}${path}`, { method: "POST", body: `scenario_even ${value}\n` });
      const read = await readGroups(member.address, new Set([id]), { timeoutMs: 5_000, slices: new WorkSlices() });
      const { families = [], pushTime } = read.get(id) ?? {};
      expect(families.find(({ name }) => name === "scenario_even")?.pushedAt).toBe(pushTime as number);
      expect(families.find(({ name }) => name === "scenario_odd")?.pushedAt).toBeLessThan(pushTime as number);
    }

    const plain = await fetch(`${member.url}/metrics/job/a`, { method: "PUT", body: "scenario_odd 5\n" });
    expect(plain.status).toBe(200);
    const scraped = await (await fetch(`${member.url}/metrics`)).text();
    const times = [...scraped.matchAll(/^push_time_seconds\{[^}]*job="a"\} (\S+)$/gm)].map(([, value]) =>
      Number(value),
    );
    expect(times).toHaveLength(1);
    expect(near(times[0] ?? 0)).toBeLessThan(5);
    expect(scraped).toContain("# TYPE push_time_seconds gauge\n");
    expect(scraped).toContain('push_failure_time_seconds{instance="",job="a"} 0\n');
  });
});
