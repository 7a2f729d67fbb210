import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { ConsulOptions } from "../../src/membership/discovery/consul-discoverer.ts";
import { type Consul, startConsul } from "../support/consul.ts";
import { freePort } from "../support/free-port.ts";
import { allIn, consulOptions, FAST_CHECKS, WatchedMembership } from "../support/membership.ts";
import { describeWithParts } from "../support/parts.ts";
import { type Pushgateway, startPushgateways } from "../support/pushgateway.ts";
import { waitFor } from "../support/wait-for.ts";

const WEEK_MS = 7 * 24 * 3_600_000;

// Where a test runs into its own deadline, Bun kills all child processes, those of later tests included.
setDefaultTimeout(30_000);

/** The ID that the predecessor gives a service. */
function idOf({ host, port }: Pushgateway): string {
  return `${host}_${port}`;
}

async function idsAt(consul: Consul): Promise<readonly string[]> {
  return Object.keys(await consul.services()).sort();
}

async function checkStatuses(consul: Consul): Promise<Readonly<Record<string, string>>> {
  const checks = await consul.call<Record<string, { CheckID: string; Status: string }>>("GET", "/v1/agent/checks");
  return Object.fromEntries(Object.values(checks).map(({ CheckID, Status }) => [CheckID, Status]));
}

await describeWithParts(["consul", "pushgateway-1.11.0"], "Membership by Consul", () => {
  let pushgateways: readonly Pushgateway[] = [];
  const at = (index: number): Pushgateway => {
    const found = pushgateways[index];
    if (found === undefined)
      throw new RangeError(`Cannot find Pushgateway "${index}": there are ${pushgateways.length}`);
    return found;
  };
  const addresses = () => pushgateways.map(({ address }) => address);
  const ids = () => pushgateways.map(idOf).sort();
  const watch = (consul: { readonly address: string }, more: Partial<ConsulOptions> = {}) =>
    new WatchedMembership({ servers: addresses(), consul: consulOptions(consul.address, more) });

  beforeAll(async () => {
    pushgateways = await startPushgateways(3);
  });
  afterAll(async () => {
    await Promise.all(pushgateways.map((pushgateway) => pushgateway.stop()));
  });

  // A test that fails must not spoil the next one.
  afterEach(async () => {
    await Promise.all(pushgateways.filter(({ running }) => !running).map((pushgateway) => pushgateway.start()));
  });

  describe("at one agent", () => {
    let consul: Consul;
    beforeAll(async () => {
      consul = await startConsul();
    });
    afterEach(async () => {
      for (const id of await idsAt(consul)) await consul.deregister(id);
      await consul.call("PUT", "/v1/agent/maintenance?enable=false");
    });
    afterAll(async () => {
      await consul.stop();
    });

    test("registers the configured servers as the predecessor did, healthy ones as passing", async () => {
      const absent = `127.0.0.9:${freePort("127.0.0.9")}`;
      await using watched = new WatchedMembership({
        servers: [...addresses(), absent],
        consul: consulOptions(consul.address),
      });
      await watched.waitForStates({ ...allIn("active", addresses()), [absent]: "down" });
      expect(watched.sets).toHaveLength(1);
      expect((await consul.services())[idOf(at(0))]).toMatchObject({
        Service: "pushgateway",
        Address: at(0).host,
        Port: at(0).port,
        Tags: [],
        Meta: { "managed-by": "dynamic-sharding" },
      });
      expect(await checkStatuses(consul)).toMatchObject({
        ...Object.fromEntries(ids().map((id) => [`service:${id}`, "passing"])),
        [`service:${absent.replace(":", "_")}`]: "critical",
      });
      // Stopping a router leaves everything registered: others may depend on it.
      await watched.membership.stop();
      expect(await idsAt(consul)).toHaveLength(4);
    });

    test("takes members that others registered under the name", async () => {
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      const foreign = { ID: "foreign", Name: "pushgateway", Address: "127.0.0.9", Port: 9091 };
      await consul.register({ ...foreign, ID: "elsewhere", Name: "other" });
      await consul.register(foreign);
      await watched.waitForStates(allIn("active", [...addresses(), "127.0.0.9:9091"]));
      await consul.deregister("foreign");
      await watched.waitForStates(allIn("active", addresses()));
    });

    test("follows a Pushgateway down and up", async () => {
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      await at(0).halt();
      await waitFor("the member to be down", () => watched.stateOf(at(0).address) === "down");
      await at(0).start();
      await watched.waitForStates(allIn("active", addresses()));
      expect(watched.historyOf(at(0).address)).toEqual(["active", "down", "joining", "active"]);
      expect(watched.counts.resharded).toBe(0);
    });

    test("believes a push that found a member unreachable before Consul notices", async () => {
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      watched.membership.reportUnreachable(at(1).address, "connection refused by a push");
      expect(watched.stateOf(at(1).address)).toBe("down");
      // Consul has said "passing" all the time, and our own checks bring it back.
      await watched.waitForStates(allIn("active", addresses()));
      expect(watched.historyOf(at(1).address)).toEqual(["active", "down", "joining", "active"]);
    });

    test("respects an operator's deregistration until the next reload", async () => {
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      await consul.deregister(idOf(at(2)));
      await watched.waitForStates(allIn("active", addresses().slice(0, 2)));
      expect(watched.log).toContain("Service was taken out of Consul, it is left out until the next reload");
      // The queries that follow another change do not bring it back.
      await consul.register({ ID: "foreign", Name: "pushgateway", Address: "127.0.0.9", Port: 9091 });
      await consul.deregister("foreign");
      await watched.waitForStates(allIn("active", addresses().slice(0, 2)));
      expect(await idsAt(consul)).not.toContain(idOf(at(2)));
      watched.reload();
      await watched.waitForStates(allIn("active", addresses()));
      expect(await idsAt(consul)).toEqual(ids());
    });

    test("takes an operator's registration for what it is", async () => {
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      await consul.deregister(idOf(at(2)));
      await watched.waitForStates(allIn("active", addresses().slice(0, 2)));
      await consul.register({ ID: idOf(at(2)), Name: "pushgateway", Address: at(2).host, Port: at(2).port });
      await watched.waitForStates(allIn("active", addresses()));
    });

    test("deregisters servers that a reload removes, and registers those that it adds", async () => {
      await using watched = new WatchedMembership({
        servers: addresses().slice(0, 2),
        consul: consulOptions(consul.address),
      });
      await consul.deregister(idOf(at(2)));
      await watched.waitForStates(allIn("active", addresses().slice(0, 2)));
      watched.reload({ servers: addresses().slice(1) });
      await watched.waitForStates(allIn("active", addresses().slice(1)));
      expect(await idsAt(consul)).toEqual(ids().slice(1));
    });

    test("drains by maintenance mode, by node maintenance, and by the tag, and a reload changes none of that", async () => {
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      const drained = { ...allIn("active", addresses()), [at(0).address]: "draining" } as const;
      await consul.maintain(idOf(at(0)), true);
      await watched.waitForStates(drained);
      watched.reload();
      await waitFor("the reload to be done", () => watched.log.match(/Registered servers/g)?.length === 2);
      expect(await checkStatuses(consul)).toContainKey(`_service_maintenance:${idOf(at(0))}`);
      await watched.waitForStates(drained);
      await consul.maintain(idOf(at(0)), false);
      await watched.waitForStates(allIn("active", addresses()));

      await consul.call("PUT", "/v1/agent/maintenance?enable=true");
      await watched.waitForStates(allIn("draining", addresses()));
      expect(watched.log).toContain("No member takes pushes");
      await consul.call("PUT", "/v1/agent/maintenance?enable=false");
      await watched.waitForStates(allIn("active", addresses()));

      const { host, port } = at(0);
      const definition = { ID: idOf(at(0)), Name: "pushgateway", Address: host, Port: port };
      await consul.register({ ...definition, Tags: ["draining", "rack-7"] });
      await watched.waitForStates(drained);
      watched.reload();
      await waitFor("the reload to be done", () => watched.log.match(/Registered servers/g)?.length === 3);
      expect((await consul.services())[definition.ID]?.Tags).toEqual(["draining", "rack-7"]);
      await watched.waitForStates(drained);
      await consul.register(definition);
      await watched.waitForStates(allIn("active", addresses()));
    });

    test("drains what the configuration lists under draining", async () => {
      await using watched = new WatchedMembership({
        servers: addresses(),
        draining: [at(1).address],
        consul: consulOptions(consul.address),
      });
      await watched.waitForStates({ ...allIn("active", addresses()), [at(1).address]: "draining" });
      watched.reload({ draining: [] });
      await watched.waitForStates(allIn("active", addresses()));
    });

    test("registers a dead server only once it lives, where Consul would remove it again", async () => {
      await at(2).halt();
      await consul.deregister(idOf(at(2)));
      await using watched = watch(consul, { deregisterCriticalServiceAfterMs: 60_000 });
      await watched.waitForStates({ ...allIn("active", addresses()), [at(2).address]: "down" });
      expect(await idsAt(consul)).toEqual(ids().slice(0, 2));
      await at(2).start();
      await watched.waitForStates(allIn("active", addresses()));
      await waitFor("its registration", async () => (await idsAt(consul)).length === 3);
      // Consul's own removal looks like an operator's, except that the server is dead.
      await at(2).halt();
      await waitFor("the member to be down", () => watched.stateOf(at(2).address) === "down");
      await consul.deregister(idOf(at(2)));
      await waitFor("the loss to be noticed", () => watched.log.includes("it will be registered again"));
      await at(2).start();
      await waitFor("its registration", async () => (await idsAt(consul)).length === 3);
      await watched.waitForStates(allIn("active", addresses()));
    });
  });

  describe("through restarts of the agent", () => {
    test("registers again what an agent that comes back empty has lost, but nothing an operator took out", async () => {
      await using consul = await startConsul();
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      await consul.deregister(idOf(at(0)));
      await watched.waitForStates(allIn("active", addresses().slice(1)));
      await consul.restart();
      await waitFor("the services to be back", async () => (await idsAt(consul)).join() === ids().slice(1).join());
      await waitFor("Consul to answer", () => watched.log.includes("Consul answers again"));
      await watched.waitForStates(allIn("active", addresses().slice(1)));
      for (const address of addresses().slice(1)) expect(watched.historyOf(address)).toEqual(["active"]);
    });

    test("keeps members in service while an agent that kept its services checks them anew", async () => {
      await using consul = await startConsul({ persistent: true });
      // The agent begins its checks at a random time within the interval: not before the test is over.
      const healthCheck = { ...FAST_CHECKS, intervalMs: WEEK_MS };
      await using watched = new WatchedMembership({
        servers: addresses(),
        healthCheck,
        consul: consulOptions(consul.address),
      });
      await watched.waitForStates(allIn("active", addresses()));
      await consul.deregister(idOf(at(0)));
      await watched.waitForStates(allIn("active", addresses().slice(1)));
      const checksBefore = watched.counts.checked;
      await consul.restart();
      await waitFor("Consul to answer", () => watched.log.includes("Consul answers again"));
      await waitFor("checks of our own", () => watched.counts.checked >= checksBefore + 2);
      expect(Object.values(await checkStatuses(consul))).toEqual(["critical", "critical"]);
      expect(await idsAt(consul)).toEqual(ids().slice(1));
      for (const address of addresses().slice(1)) expect(watched.historyOf(address)).toEqual(["active"]);
    });

    test("runs on the configured servers while there is no agent at the start, and registers them when it comes", async () => {
      const port = freePort();
      await at(1).halt();
      await using watched = watch({ address: `127.0.0.1:${port}` });
      await watched.waitForStates({ ...allIn("active", addresses()), [at(1).address]: "down" });
      await at(1).start();
      await watched.waitForStates(allIn("active", addresses()));
      await using consul = await startConsul({ port });
      await waitFor("the services to be there", async () => (await idsAt(consul)).join() === ids().join());
      await waitFor("Consul to answer", () => watched.log.includes("Consul answers again"));
      await consul.register({ ID: "foreign", Name: "pushgateway", Address: "127.0.0.9", Port: 9091 });
      await watched.waitForStates(allIn("active", [...addresses(), "127.0.0.9:9091"]));
    });

    test("watches over the last set itself while the agent is gone", async () => {
      await using consul = await startConsul();
      await using watched = watch(consul);
      await watched.waitForStates(allIn("active", addresses()));
      await consul.halt();
      await waitFor("the loss to be noticed", () => watched.counts.refreshFailed > 0);
      await at(0).halt();
      await waitFor("the member to be down", () => watched.stateOf(at(0).address) === "down");
      await at(0).start();
      await watched.waitForStates(allIn("active", addresses()));
      expect(watched.counts.resharded).toBe(0);
      expect(watched.log.match(/level=warn msg="Cannot refresh from Consul/g)?.length).toBeLessThan(4);
    });
  });
});
