import { describeScenario } from "./scenario.ts";

const AGENT_DEATHS = 2;
const FLAPS = 5;
const FLAP_MS = 1_000;

await describeScenario({
  title: "Consul's agent dies and returns, and services flap",
  members: 4,
  consul: true,
  happens: async ({ cluster, load, realClients }) => {
    const { consul } = cluster;
    for (let death = 0; death < AGENT_DEATHS; death++) {
      consul.kill("SIGKILL");
      await consul.exited();
      await load.waitForRound();
      await consul.start();
      await load.waitForRound();
    }
    for (let flap = 0; flap < FLAPS; flap++) {
      const id = cluster.serviceId(cluster.member(flap % 2));
      await consul.maintain(id, true);
      await Bun.sleep(FLAP_MS);
      await consul.maintain(id, false);
      await Bun.sleep(FLAP_MS);
    }
    await realClients.run();
    for (const member of cluster.members) await cluster.waitForState(member, "active");
    await load.waitForRound();
  },
});
