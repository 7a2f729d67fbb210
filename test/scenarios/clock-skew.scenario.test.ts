import { describeScenario } from "./scenario.ts";
import { pushgatewayAt } from "./scenario-member.ts";
import { skewedMemberAt } from "./skewed-member.ts";

/** By member: two of the first three and one that joins later are wrong. */
const SECONDS_AHEAD = [0, 30.3, -29.6, 0, 15.2];

await describeScenario({
  title: "clocks differ by up to a minute while members join, freeze and return",
  members: 3,
  spare: 2,
  memberAt: async (place) => {
    const ahead = SECONDS_AHEAD[place.index] ?? 0;
    return await (ahead === 0 ? pushgatewayAt : skewedMemberAt(ahead))(place);
  },
  happens: async ({ cluster, load, realClients }) => {
    const servers = [...cluster.members];
    for (const router of cluster.routers) await cluster.reconfigure({ servers }, [router]);
    for (const member of servers) await cluster.waitForState(member, "active");
    await load.waitForRound();
    for (const index of [0, 1]) {
      const victim = cluster.member(index);
      await victim.freeze();
      await Promise.all([realClients.run(), Bun.sleep(4_000)]);
      victim.kill("SIGCONT");
      await cluster.waitForState(victim, "active");
      await load.waitForRound();
    }
  },
});
