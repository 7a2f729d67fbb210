import { describeScenario } from "./scenario.ts";

/** Shorter than the interval of the checks: only pushes can notice. */
const AWAY_MS = 300;

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
  title: "members are killed and back within a moment",
  members: 4,
  happens: async ({ cluster, load, realClients }) => {
    for (const index of [0, 1, 0]) {
      const victim = cluster.member(index);
      await cluster.kill(victim);
      await Bun.sleep(AWAY_MS);
      await victim.start();
      await load.waitForRound();
    }
    await realClients.run();
    for (const member of cluster.members) await cluster.waitForState(member, "active");
  },
});
