import { describeScenario } from "./scenario.ts";
import { embeddedPushgatewayAt, pushgatewayAt } from "./scenario-member.ts";

const FREEZE_MS = 5_000;
/**
 * Longer than between two pushes of a slow group. What its stand-in took goes home with its next push; if the stand-in died before, what
 * only it has would be out of reach, and an older value in sight (docs/operations.md, What is not).
 */
const GO_HOME_MS = 7_000;

await describeScenario({
  title: "embedded members beside real ones join, freeze, are killed and return",
  members: 3,
  spare: 1,
  memberAt: async (place) => await (place.index % 2 === 1 ? embeddedPushgatewayAt : pushgatewayAt)(place),
  happens: async ({ cluster, load, realClients }) => {
    const servers = [...cluster.members];
    for (const router of cluster.routers) await cluster.reconfigure({ servers }, [router]);
    for (const member of servers) await cluster.waitForState(member, "active");
    await load.waitForRound();
    const [real, embedded] = [cluster.member(0), cluster.member(1)];
    for (const victim of [embedded, real]) {
      await victim.freeze();
      await Promise.all([realClients.run(), Bun.sleep(FREEZE_MS)]);
      victim.kill("SIGCONT");
      await cluster.waitForState(victim, "active");
      await load.waitForRound();
    }
    for (const victim of [embedded, real]) {
      await cluster.kill(victim);
      await cluster.waitForState(victim, "down");
      await load.waitForRound();
      await victim.start();
      await cluster.waitForState(victim, "active");
      await Promise.all([load.waitForRound(), Bun.sleep(GO_HOME_MS)]);
    }
  },
});
