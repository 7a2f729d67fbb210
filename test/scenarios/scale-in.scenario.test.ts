import { DRAIN_CONFIG, emptyDrainingMembers } from "./drain.ts";
import { describeScenario } from "./scenario.ts";

await describeScenario({
  title: "scale in from 6 to 3 by draining in the configuration",
  members: 6,
  config: DRAIN_CONFIG,
  happens: async (scene) => {
    const { cluster, load, realClients } = scene;
    const [servers, draining] = [cluster.members.slice(0, 3), cluster.members.slice(3)];
    for (const router of cluster.routers) await cluster.reconfigure({ servers: cluster.members, draining }, [router]);
    await realClients.run();
    await emptyDrainingMembers(scene, draining);
    for (const router of cluster.routers) await cluster.reconfigure({ servers }, [router]);
    for (const member of draining) await cluster.retire(member);
    await load.waitForRound();
  },
});

await describeScenario({
  title: "scale in from 6 to 3 by Consul's tag and maintenance mode",
  members: 6,
  consul: true,
  config: DRAIN_CONFIG,
  happens: async (scene) => {
    const { cluster, load, realClients } = scene;
    const [servers, draining] = [cluster.members.slice(0, 3), cluster.members.slice(3)];
    const [maintained, ...tagged] = draining;
    if (maintained === undefined) throw new Error("Cannot drain: there are too few members");
    await cluster.consul.maintain(cluster.serviceId(maintained), true);
    for (const member of tagged) await cluster.tag(member, "draining");
    for (const member of draining) await cluster.waitForState(member, "draining");
    await realClients.run();
    await emptyDrainingMembers(scene, draining);
    // Whoever registered a service takes it out: the routers those that they registered themselves.
    for (const member of tagged) await cluster.consul.deregister(cluster.serviceId(member));
    await cluster.reconfigure({ servers });
    for (const member of draining) await cluster.retire(member);
    await load.waitForRound();
  },
});
