import { afterAll, beforeAll, expect, test } from "bun:test";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { rawRequest } from "../support/raw-http.ts";

/** Pushes that Pushgateway 1.11.0 rejects by closing the connection, where older ones say 400. */
const REJECTED = [
  ["two series twice", "x 1\nx 2\n"],
  ["timestamps", "x 1 1000\n"],
  ["another type than a metric of its own has", "# TYPE go_goroutines counter\ngo_goroutines 1\n"],
  ["a type that another group has otherwise", "# TYPE taken counter\ntaken 1\n"],
  ["a line that is no metric", "{}\n"],
] as const;

await describeWithParts(["pushgateway-1.11.0"], "A push that Pushgateway 1.11.0 rejects", () => {
  let members: readonly Pushgateway[] = [];
  let router: LocalRouter;

  beforeAll(async () => {
    members = await startPushgateways(2);
    router = await LocalRouter.start(configOf(members));
    for (const { address } of members) {
      const path = await router.pathOwnedBy(address);
      expect((await router.push(path, "# TYPE taken gauge\ntaken 1\n")).status).toBe(200);
    }
  });

  afterAll(async () => {
    await router.stop();
    await Promise.all(members.map((member) => member.stop()));
  });

  async function states(): Promise<readonly string[]> {
    const { data } = (await (await router.get("/api/v1/members")).json()) as { data: { members: { state: string }[] } };
    return data.members.map(({ state }) => state);
  }

  test.each(REJECTED)("for %s gets 502 and a hint, and neither fails over nor costs the member", async (_, body) => {
    const before = await router.metrics();
    const answer = await router.push("/metrics/job/rejected", body);
    expect(answer.status).toBe(502);
    const text = await answer.text();
    expect(text).toContain("closed the connection without an answer");
    expect(text).toContain("Pushgateway 1.11.0 does this instead of answering 400");
    const after = await router.metrics();
    const failovers = [...after].filter(([name]) => name.startsWith("dynamic_sharding_failovers_total"));
    expect(failovers.filter(([, value]) => value !== 0)).toEqual([]);
    const key = 'dynamic_sharding_pushes_total{mode="proxy",outcome="failed"}';
    expect((after.get(key) ?? 0) - (before.get(key) ?? 0)).toBe(1);
    expect(await states()).toEqual(["active", "active"]);
  });

  test("does not disturb those that are sent at the same time", async () => {
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, i) =>
        router.push(`/metrics/job/mixed/n/${i}`, i % 3 === 0 ? "x 1\nx 2\n" : "x 1\n"),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(answers.map((_, i) => (i % 3 === 0 ? 502 : 200)));
    expect(await states()).toEqual(["active", "active"]);
  });

  test("is dropped by the Pushgateway itself, which this router cannot know better", async () => {
    const [member] = members;
    const request = "PUT /metrics/job/a HTTP/1.1\r\nHost: p\r\nContent-Length: 8\r\n\r\nx 1\nx 2\n";
    await expect(rawRequest(member?.address ?? "", request)).rejects.toThrow(/closed|ECONNRESET/);
  });
});
