import { describeScenario } from "./scenario.ts";

await describeScenario({
  title: "scale in from 6 to 3 by draining in the configuration",
  members: 6,
  happens: async ({ cluster, load, realClients }) => {
    const draining = cluster.members.slice(3);
    for (const router of cluster.routers) await cluster.reconfigure({ servers: cluster.members, draining }, [router]);
    await realClients.run();
    await load.waitForRound();
    await Bun.sleep(5_000);
  },
});

await describeScenario({
  title: "scale in from 6 to 3 by Consul's tag and maintenance mode",
  members: 6,
  consul: true,
  happens: async ({ cluster, load, realClients }) => {
    const [first, ...others] = cluster.members.slice(3);
    if (first === undefined) throw new Error("Cannot drain: there are too few members");
    await cluster.consul.maintain(cluster.serviceId(first), true);
    for (const member of others) await cluster.tag(member, "draining");
    for (const member of [first, ...others]) await cluster.waitForState(member, "draining");
    await realClients.run();
    await load.waitForRound();
    await Bun.sleep(5_000);
  },
});
