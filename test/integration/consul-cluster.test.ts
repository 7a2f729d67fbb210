import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { type Consul, startConsul } from "../support/consul.ts";
import { freePort } from "../support/free-port.ts";
import { allIn, consulOptions, WatchedMembership } from "../support/membership.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";

// Where a test runs into its own deadline, Bun kills all child processes, those of later tests included.
setDefaultTimeout(60_000);

/** Three servers that elect a leader. Each is an agent, too. */
async function startCluster(): Promise<readonly [Consul, Consul, Consul]> {
  const gossipPorts = [freePort(), freePort(), freePort()];
  const start = async (index: number) => {
    const port = freePort();
    const [serf_lan, server] = [gossipPorts[index], freePort()];
    return await startConsul({
      persistent: true,
      port,
      flags: ["-bootstrap-expect=3", ...gossipPorts.map((gossip) => `-retry-join=127.0.0.1:${gossip}`)],
      config: {
        node_name: `server-${index}`,
        retry_interval: "1s",
        ports: { http: port, https: -1, dns: -1, grpc: -1, serf_wan: -1, serf_lan, server },
      },
    });
  };
  return await Promise.all([start(0), start(1), start(2)]);
}

await describeWithParts(["consul", "pushgateway-1.11.0"], "Membership by a Consul cluster", () => {
  let pushgateways: readonly Pushgateway[] = [];
  let servers: readonly [Consul, Consul, Consul];
  const addresses = () => pushgateways.map(({ address }) => address);
  const watch = (consul: Consul) =>
    // A wait short enough to notice that the leader is gone.
    new WatchedMembership({ servers: addresses(), consul: consulOptions(consul.address, { pacing: { waitMs: 500 } }) });

  beforeAll(async () => {
    [pushgateways, servers] = await Promise.all([startPushgateways(3), startCluster()]);
  });
  afterAll(async () => {
    await Promise.all([...pushgateways, ...servers].map((server) => server.stop()));
  });

  test("counts a Pushgateway once that several routers registered at several agents", async () => {
    await using one = watch(servers[0]);
    await using two = watch(servers[1]);
    await one.waitForStates(allIn("active", addresses()));
    await two.waitForStates(allIn("active", addresses()));
    const entries = await waitFor("six entries", async () => {
      const found = await servers[2].call<unknown[]>("GET", "/v1/health/service/pushgateway");
      return found.length === 6 && found;
    });
    expect(entries).toHaveLength(6);
    expect(one.membership.current?.fingerprint).toBe(two.membership.current?.fingerprint ?? -1);

    // Taken out at one agent, it is still there by the other.
    const id = addresses()[0]?.replace(":", "_") ?? "";
    await servers[0].deregister(id);
    await waitFor("the router to notice", () => one.log.includes("Service was taken out of Consul"));
    expect(one.stateOf(addresses()[0] ?? "")).toBe("active");
    expect(two.stateOf(addresses()[0] ?? "")).toBe("active");
    await servers[1].deregister(id);
    await one.waitForStates(allIn("active", addresses().slice(1)));
    await two.waitForStates(allIn("active", addresses().slice(1)));
    expect(one.membership.current?.fingerprint).toBe(two.membership.current?.fingerprint ?? -1);
  });

  test("keeps its members without a leader, watches over them itself, and follows the next leader", async () => {
    await using watched = watch(servers[0]);
    await watched.waitForStates(allIn("active", addresses()));
    servers[1].kill("SIGKILL");
    servers[2].kill("SIGKILL");
    await Promise.all([servers[1].exited(), servers[2].exited()]);
    await waitFor("the loss to be noticed", () => watched.log.includes("it has no leader"), { timeoutMs: 20_000 });
    const victim = pushgateways[1];
    if (victim === undefined) throw new Error("Cannot find the second Pushgateway");
    await victim.halt();
    await waitFor("the member to be down", () => watched.stateOf(victim.address) === "down");
    await victim.start();
    await watched.waitForStates(allIn("active", addresses()));
    expect(watched.counts.resharded).toBe(0);
    await Promise.all([servers[1].start(), servers[2].start()]);
    await waitFor("the next leader", () => watched.log.includes("Consul answers again"), { timeoutMs: 20_000 });
    await servers[0].maintain(victim.address.replace(":", "_"), true);
    await waitFor("the member to drain", () => watched.stateOf(victim.address) === "draining");
  });
});
