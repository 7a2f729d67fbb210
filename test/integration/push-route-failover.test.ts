import { afterEach, expect, test } from "bun:test";
import { groupsOf } from "../support/groups.ts";
import { configOf, LocalRouter } from "../support/local-router.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";

/** Health checks come too late to be what finds a fault. */
const SLOW_CHECKS = { interval: "1h", timeout: "1s" };
const LIMITS = { stall_timeout: "300ms" };

interface Cluster {
  readonly router: LocalRouter;
  /** A push path, and the members in the order in which they are tried for it. */
  readonly path: string;
  readonly order: readonly [Pushgateway, Pushgateway, Pushgateway];
}

await describeWithParts(["pushgateway-1.11.0"], "Failing over", () => {
  let resources = new AsyncDisposableStack();

  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });

  async function startCluster(path = "/metrics/job/a/x/1"): Promise<Cluster> {
    const members = await startPushgateways(3);
    for (const member of members) resources.use(member);
    const config = configOf(members, { health_check: SLOW_CHECKS, limits: LIMITS });
    const router = resources.use(await LocalRouter.start(config));
    const { owner, failOver } = await router.ownersOf(path);
    const order = [owner, ...failOver].map((address) => members.find((member) => member.address === address));
    return { router, path, order: order as unknown as Cluster["order"] };
  }

  async function holds({ url }: Pushgateway, job: string): Promise<boolean> {
    return [...(await groupsOf(url)).keys()].some((key) => key.includes(`"job":"${job}"`));
  }

  async function failovers({ router }: Cluster, reason: string): Promise<number> {
    return (await router.metrics()).get(`dynamic_sharding_failovers_total{reason="${reason}"}`) ?? 0;
  }

  async function stateOf({ router }: Cluster, { address }: Pushgateway): Promise<string | undefined> {
    const response = await router.get("/api/v1/members");
    const { data } = (await response.json()) as { data: { members: { address: string; state: string }[] } };
    return data.members.find((member) => member.address === address)?.state;
  }

  test("goes on in ring order while members refuse connections, and says so when none is left", async () => {
    const cluster = await startCluster();
    const { router, path, order } = cluster;
    // No connection to it is kept, or the router would have noticed by itself.
    await order[0].halt();
    expect((await router.push(path)).status).toBe(200);
    expect(await holds(order[1], "a")).toBe(true);
    expect(await holds(order[2], "a")).toBe(false);
    expect(await failovers(cluster, "unreachable")).toBe(1);
    expect(await stateOf(cluster, order[0])).toBe("down");
    await order[1].halt();
    expect((await router.push(path)).status).toBe(200);
    expect(await holds(order[2], "a")).toBe(true);
    await order[2].halt();
    const answer = await router.push(path);
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("1");
    expect(await answer.text()).toMatch(
      /^No Pushgateway can take the push: the last one tried: Cannot connect to 127\.0\.0\.\d:\d+: ECONNREFUSED\n$/,
    );
  });

  test("notices a member that is killed and back within a moment, though nobody pushes to it meanwhile", async () => {
    const cluster = await startCluster();
    const { router, path, order } = cluster;
    const [owner] = order;
    expect((await router.push(path)).status).toBe(200);
    await owner.restart();
    await waitFor("the router to have noticed", async () => (await stateOf(cluster, owner)) !== "active");
    expect((await router.push(path)).status).toBe(200);
    expect(await failovers(cluster, "unreachable")).toBe(0);
  });

  test("also fails over a DELETE", async () => {
    const { router, path, order } = await startCluster();
    await order[0].halt();
    expect((await router.push(path)).status).toBe(200);
    expect((await router.get(path, { method: "DELETE" })).status).toBe(202);
    await waitFor("the group to be gone", async () => !(await holds(order[1], "a")));
  });

  test("is not needed when a member was restarted and the pool is stale", async () => {
    const cluster = await startCluster();
    const { router, path, order } = cluster;
    await Promise.all(Array.from({ length: 5 }, (_, i) => router.push(`${path}/n/${i}`)));
    await Promise.all(order.map((member) => member.restart()));
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => router.push(`${path}/n/${i}`)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(await failovers(cluster, "unreachable")).toBe(0);
  });

  test("saves a push whose owner is killed before it has answered", async () => {
    const { router, path, order } = await startCluster();
    const [owner, next] = order;
    await router.push(path);
    await owner.freeze();
    const pushes = [router.push(path, "x 2\n"), router.push(`${path}/y/1`, "x 2\n")];
    await waitFor("the owner to have it", async () => {
      const metrics = await router.metrics();
      return (metrics.get(`dynamic_sharding_upstream_in_flight{member="${owner.address}"}`) ?? 0) > 0;
    });
    owner.kill("SIGKILL");
    expect((await Promise.all(pushes)).map(({ status }) => status)).toEqual([200, 200]);
    expect(await holds(next, "a")).toBe(true);
  });

  test("saves a push whose owner is frozen, in time, while other members' pushes take no longer", async () => {
    const cluster = await startCluster();
    const { router, path, order } = cluster;
    const [owner, next, other] = order;
    const otherPath = await router.pathOwnedBy(other.address);
    await owner.freeze();
    const latencies: number[] = [];
    let othersMeanwhile = 0;
    const saved = Promise.all(Array.from({ length: 50 }, () => router.push(path, "x 2\n"))).finally(() => {
      othersMeanwhile = latencies.length;
    });
    while (latencies.length < 100) {
      const sentAt = performance.now();
      expect((await router.push(otherPath)).status).toBe(200);
      latencies.push(performance.now() - sentAt);
    }
    const answers = await saved;
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(await holds(next, "a")).toBe(true);
    expect(await failovers(cluster, "unresponsive")).toBeGreaterThan(0);
    expect(await stateOf(cluster, owner)).toBe("down");
    // One at a time: had they waited for the frozen member, too, there would be one or none.
    expect(othersMeanwhile).toBeGreaterThan(10);
    process.stderr.write(`While a member was frozen, a push to another took ${describe(latencies)}\n`);
    owner.kill("SIGCONT");
  });

  test("comes in time also when the first two members are frozen", async () => {
    const cluster = await startCluster();
    const { router, path, order } = cluster;
    await order[0].freeze();
    await order[1].freeze();
    expect((await router.push(path)).status).toBe(200);
    expect(await holds(order[2], "a")).toBe(true);
    order[0].kill("SIGCONT");
    order[1].kill("SIGCONT");
  });
});

function describe(latencies: readonly number[]): string {
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(1);
  return `${at(0.5)} ms in the middle, ${at(0.99)} ms at the 99th percentile, ${at(1)} ms at most`;
}
