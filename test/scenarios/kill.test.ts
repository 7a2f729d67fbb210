import { describeScenario } from "./scenario.ts";

await describeScenario({
  title: "a member is killed and returns with its file",
  members: 4,
  happens: async ({ cluster, load, realClients }) => {
    const victim = cluster.member(1);
    await cluster.kill(victim);
    await cluster.waitForState(victim, "down");
    await realClients.run();
    await load.waitForRound();
    // Prometheus takes up to six seconds to hear of it.
    await Bun.sleep(7_000);
    await victim.start();
    await cluster.waitForState(victim, "active");
    await load.waitForRound();
  },
});

await describeScenario({
  title: "a member is killed and back before anybody has noticed",
  members: 4,
  happens: async ({ cluster, load, realClients }) => {
    for (const index of [0, 1, 0]) {
      const victim = cluster.member(index);
      await cluster.kill(victim);
      await victim.start();
      await load.waitForRound();
    }
    await realClients.run();
    for (const member of cluster.members) await cluster.waitForState(member, "active");
  },
});
