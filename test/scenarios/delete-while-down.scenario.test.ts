import { copiesAt } from "./copies.ts";
import { describeScenario } from "./scenario.ts";
import { nextRequest } from "./scenario-group.ts";
import type { ScenarioMember } from "./scenario-member.ts";

await describeScenario({
  title: "groups are deleted and replaced while the member that has them is down",
  members: 3,
  happens: async ({ cluster, load }) => {
    const quietAt = async (member: ScenarioMember) => {
      const held = await copiesAt([member]);
      return load.groups.filter(({ pace, key }) => pace === "quiet" && held.has(key));
    };
    const counts = await Promise.all(cluster.members.map(async (member) => (await quietAt(member)).length));
    const victim = cluster.member(counts.indexOf(Math.max(...counts)));
    const quiet = await quietAt(victim);
    await cluster.kill(victim);
    await cluster.waitForState(victim, "down");
    // The clients of quiet groups have nothing under way, so that these requests are their next ones.
    for (const [index, group] of quiet.entries()) {
      const request = nextRequest(group);
      if (index % 3 === 0) await load.request(group, { ...request, method: "DELETE" });
      if (index % 3 === 1) await load.request(group, { ...request, method: "PUT" });
    }
    await load.waitForRound();
    // Prometheus takes up to six seconds to hear of it.
    await Bun.sleep(7_000);
    await victim.start();
    await cluster.waitForState(victim, "active");
    await load.waitForRound();
  },
});
