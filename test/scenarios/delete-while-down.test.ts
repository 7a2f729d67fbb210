import { copiesAt } from "./copies.ts";
import { describeScenario } from "./scenario.ts";
import { nextRequest } from "./scenario-group.ts";

await describeScenario({
  title: "groups are deleted and replaced while the member that has them is down",
  members: 3,
  happens: async ({ cluster, load }) => {
    const victim = cluster.member(1);
    const held = await copiesAt([victim]);
    await cluster.kill(victim);
    await cluster.waitForState(victim, "down");
    // The clients of quiet groups have none under way, so that these requests are the next ones.
    const quiet = load.groups.filter(({ pace, key }) => pace === "quiet" && held.has(key));
    if (quiet.length < 5) throw new Error(`Cannot delete: ${victim.address} holds ${quiet.length} quiet groups only`);
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
