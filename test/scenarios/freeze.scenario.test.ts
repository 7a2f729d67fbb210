import type { Scene } from "./oracle.ts";
import { describeScenario } from "./scenario.ts";

await describeScenario({
  title: "a member freezes and returns, and what was stuck in its sockets with it",
  members: 4,
  // A little longer than a push waits for an answer before it moves on, and long enough for checks to fail.
  happens: (scene) => freezeAndReturn(scene, [2_500, 8_000]),
});

await describeScenario({
  title: "a member freezes for long and returns, with checks as they are by default",
  members: 4,
  config: { health_check: {} },
  // A little shorter than an interval of the checks, and so long that nobody is in a hurry any more to see it return.
  happens: (scene) => freezeAndReturn(scene, [4_000, 25_000]),
});

async function freezeAndReturn({ cluster, load, realClients }: Scene, lengthsMs: readonly number[]): Promise<void> {
  const victim = cluster.member(1);
  for (const milliseconds of lengthsMs) {
    await victim.freeze();
    await Promise.all([realClients.run(), Bun.sleep(milliseconds)]);
    victim.kill("SIGCONT");
    await load.waitForRound();
  }
  await cluster.waitForState(victim, "active");
  await load.waitForRound();
}
