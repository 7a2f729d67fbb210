import { expect, test } from "bun:test";
import { MemberSet } from "../../src/membership/member-set.ts";
import { freePort } from "../support/free-port.ts";
import { allIn, FAST_CHECKS, WatchedMembership } from "../support/membership.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";

/** Several Pushgateways that end together. */
class Pushgateways implements AsyncDisposable {
  readonly all: readonly Pushgateway[];

  constructor(all: readonly Pushgateway[]) {
    this.all = all;
  }

  static async start(count: number): Promise<Pushgateways> {
    return new Pushgateways(await startPushgateways(count));
  }

  get addresses(): readonly string[] {
    return this.all.map(({ address }) => address);
  }

  at(index: number): Pushgateway {
    const found = this.all[index];
    if (found === undefined) throw new RangeError(`Cannot find Pushgateway "${index}": there are ${this.all.length}`);
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((pushgateway) => pushgateway.stop()));
  }
}

await describeWithParts(["pushgateway-1.11.0"], "Membership of configured servers", () => {
  test("is ready after one round of checks, with members that pass active and the others down", async () => {
    await using pushgateways = await Pushgateways.start(2);
    const absent = `127.0.0.1:${freePort()}`;
    await using watched = new WatchedMembership({ servers: [...pushgateways.addresses, absent] });
    expect(watched.membership.current).toBeUndefined();
    const set = await watched.ready();
    expect(set.members.map(({ address, state }) => [address, state])).toEqual([
      [absent, "down"],
      [pushgateways.at(0).address, "active"],
      [pushgateways.at(1).address, "active"],
    ]);
    expect(watched.sets).toEqual([set]);
    expect(watched.counts.resharded).toBe(0);
  });

  test("is ready within the deadline of a check when a member hangs", async () => {
    await using pushgateways = await Pushgateways.start(2);
    pushgateways.at(1).kill("SIGSTOP");
    await using watched = new WatchedMembership({ servers: pushgateways.addresses });
    await watched.ready();
    expect(watched.stateOf(pushgateways.at(0).address)).toBe("active");
    expect(watched.stateOf(pushgateways.at(1).address)).toBe("down");
  });

  test("takes a killed member out and brings it back by way of joining, on the same ring", async () => {
    await using pushgateways = await Pushgateways.start(3);
    await using watched = new WatchedMembership({ servers: pushgateways.addresses });
    const first = await watched.ready();
    const victim = pushgateways.at(0);
    await victim.halt();
    await waitFor("the member to be down", () => watched.stateOf(victim.address) === "down");
    expect(watched.membership.current?.panic).toBe(false);
    await victim.start();
    await watched.waitForStates(allIn("active", pushgateways.addresses));
    expect(watched.historyOf(victim.address)).toEqual(["active", "down", "joining", "active"]);
    expect(watched.sets.every(({ ring }) => ring === first.ring)).toBe(true);
    expect(watched.counts.resharded).toBe(0);
    expect(watched.membership.current?.fingerprint).toBe(first.fingerprint);
  });

  test("takes a frozen member out after failures in a row", async () => {
    await using pushgateways = await Pushgateways.start(1);
    await using watched = new WatchedMembership({ servers: pushgateways.addresses });
    await watched.ready();
    const victim = pushgateways.at(0);
    const checksBefore = watched.counts.checked;
    victim.kill("SIGSTOP");
    await waitFor("the member to be down", () => watched.stateOf(victim.address) === "down");
    expect(watched.counts.checked - checksBefore).toBeGreaterThanOrEqual(3);
    expect(watched.log).toContain(`member=${victim.address} reason="no answer within 400 ms"`);
    victim.kill("SIGCONT");
    await watched.waitForStates(allIn("active", pushgateways.addresses));
  });

  test("forgives a member that misses two checks in a row, again and again", async () => {
    let requests = 0;
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        requests += 1;
        return new Response("", { status: requests % 3 === 1 ? 200 : 500 });
      },
    });
    const address = `127.0.0.1:${server.port}`;
    await using watched = new WatchedMembership({
      servers: [address],
      healthCheck: { ...FAST_CHECKS, intervalMs: 50 },
    });
    await watched.ready();
    await waitFor("a dozen checks", () => watched.counts.checked >= 12);
    expect(watched.historyOf(address)).toEqual(["active"]);
  });

  test("takes a member out at once when a push found it unreachable, and checks it back in", async () => {
    await using pushgateways = await Pushgateways.start(3);
    await using watched = new WatchedMembership({ servers: pushgateways.addresses });
    await watched.ready();
    const { address } = pushgateways.at(1);
    watched.membership.reportUnreachable(address, "connection refused by a push");
    expect(watched.stateOf(address)).toBe("down");
    watched.membership.reportUnreachable("10.9.9.9:1", "is no member");
    await watched.waitForStates(allIn("active", pushgateways.addresses));
    expect(watched.historyOf(address)).toEqual(["active", "down", "joining", "active"]);
  });

  test("goes on pushing to members that look down when more than half of them do, and says so once", async () => {
    await using pushgateways = await Pushgateways.start(3);
    await using watched = new WatchedMembership({ servers: pushgateways.addresses });
    await watched.ready();
    const [one, two, three] = pushgateways.addresses;
    for (const address of [one, two]) watched.membership.reportUnreachable(String(address), "gone");
    const { current } = watched.membership;
    expect(current?.panic).toBe(true);
    const keys = Array.from({ length: 300 }, (_, index) => `/metrics/job/${index}`);
    expect(new Set(keys.map((key) => current?.ownerOf(key)?.address))).toEqual(new Set([one, two, three]));
    await watched.waitForStates(allIn("active", pushgateways.addresses));
    expect(watched.membership.current?.panic).toBe(false);
    expect(watched.log.match(/More than half of the members look down/g)).toHaveLength(1);
    expect(watched.log.match(/pushes avoid those that look down/g)).toHaveLength(1);
  });

  test("does not move keys every second for a member that flaps every second", async () => {
    await using pushgateways = await Pushgateways.start(2);
    const port = freePort();
    const flapping = `127.0.0.1:${port}`;
    const serve = () => Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("OK") });
    let server = serve();
    // Everything five times as fast: a check each second becomes one every 200 ms, and so does the flapping.
    await using watched = new WatchedMembership({
      servers: [...pushgateways.addresses, flapping],
      healthCheck: { ...FAST_CHECKS, intervalMs: 200, timeoutMs: 100 },
    });
    await watched.ready();
    const flaps = 12;
    for (let flap = 0; flap < flaps; flap++) {
      await server.stop(true);
      await Bun.sleep(150);
      server = serve();
      await Bun.sleep(150);
    }
    await server.stop(true);
    const history = watched.historyOf(flapping);
    expect(history).toContain("down");
    expect(history.filter((state) => state === "active").length).toBeLessThan(flaps / 2);
  }, 20_000);

  test("changes list, draining and health checks on reload, as one reshard that keeps what is known", async () => {
    await using pushgateways = await Pushgateways.start(4);
    const [one, two, three, four] = pushgateways.addresses.map(String) as [string, string, string, string];
    await using watched = new WatchedMembership({ servers: [one, two, three] });
    const first = await watched.ready();
    watched.membership.reportUnreachable(two, "gone");
    // Newcomers and leavers swap places in one step.
    watched.reload({ servers: [one, two, four], draining: [one] });
    await watched.waitForStates({ [one]: "draining", [two]: "active", [four]: "active" });
    expect(watched.counts.resharded).toBe(1);
    expect(watched.sets.filter(({ ring }) => ring !== first.ring).every(({ members }) => members.length === 3)).toBe(
      true,
    );
    expect(watched.historyOf(two).at(-1)).toBe("active");
    expect(watched.historyOf(two)).toContain("down");
    watched.reload({ draining: [], healthCheck: { ...FAST_CHECKS, path: "/no-such-path" } });
    await watched.waitForStates(allIn("down", [one, two, four]));
    expect(watched.log).toContain('reason="answers 404 to GET /no-such-path"');
  });

  test("calls a draining member that cannot be reached down, and gives it no pushes in a panic", async () => {
    await using pushgateways = await Pushgateways.start(2);
    const [one, two] = pushgateways.addresses.map(String) as [string, string];
    await using watched = new WatchedMembership({ servers: [one, two], draining: [two] });
    await watched.ready();
    expect(watched.stateOf(two)).toBe("draining");
    await pushgateways.at(1).halt();
    await watched.waitForStates({ [one]: "active", [two]: "down" });
    await pushgateways.at(0).halt();
    await watched.waitForStates({ [one]: "down", [two]: "down" });
    const { current } = watched.membership;
    expect(current?.panic).toBe(true);
    expect([...(current?.ownersOf("/metrics/job/a") ?? [])].map(({ address }) => address)).toEqual([one]);
    await pushgateways.at(1).start();
    await waitFor("the draining member to be back", () => watched.stateOf(two) === "draining");
  });

  test("keeps a member whose health check asks for credentials, and warns once", async () => {
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response("Unauthorized", { status: 401 }),
    });
    const address = `127.0.0.1:${server.port}`;
    await using watched = new WatchedMembership({
      servers: [address],
      healthCheck: { ...FAST_CHECKS, intervalMs: 50 },
    });
    await watched.ready();
    await waitFor("some more checks", () => watched.counts.checked > 3);
    expect(watched.states).toEqual([`${address} active`]);
    expect(watched.log.match(/asks health checks for credentials/g)).toHaveLength(1);
  });

  test("ends its checks when stopped, and whoever waits for members", async () => {
    let checks = 0;
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        checks += 1;
        return new Promise<Response>(() => {});
      },
    });
    const watched = new WatchedMembership({ servers: [`127.0.0.1:${server.port}`] });
    const waiting = watched.membership.whenReady(AbortSignal.timeout(10_000));
    const impatient = watched.membership.whenReady(AbortSignal.timeout(10));
    await expect(impatient).rejects.toThrow("timed out");
    await waitFor("the check to have begun", () => checks === 1);
    await watched.membership.stop();
    await expect(waiting).rejects.toThrow("membership was stopped");
    watched.membership.reportUnreachable(`127.0.0.1:${server.port}`, "too late");
    expect(watched.membership.current).toBeUndefined();
  });

  test("routes nothing where there are no servers, and says so", async () => {
    await using watched = new WatchedMembership({ servers: [] });
    const set = await watched.ready();
    expect(set).toBeInstanceOf(MemberSet);
    expect(set.ownerOf("/metrics/job/a")).toBeUndefined();
    expect(watched.log).toContain('level=error msg="No member takes pushes');
  });
});
