import { describeScenario } from "./scenario.ts";

/** A little longer than a push waits for an answer before it moves on, and long enough for checks to fail. */
const FREEZES_MS = [2_500, 8_000];

await describeScenario({
  title: "a member freezes and returns, and what was stuck in its sockets with it",
  members: 4,
  happens: async ({ cluster, load, realClients }) => {
    const victim = cluster.member(1);
    for (const milliseconds of FREEZES_MS) {
      await victim.freeze();
      await Promise.all([realClients.run(), Bun.sleep(milliseconds)]);
      victim.kill("SIGCONT");
      await load.waitForRound();
    }
    await cluster.waitForState(victim, "active");
    await load.waitForRound();
  },
});
