import { describeScenario } from "./scenario.ts";

const DIFFERENT_MS = 60_000;

await describeScenario({
  title: "two routers know different members for a while",
  members: 3,
  spare: 1,
  // A router cannot delete what is on a member that it does not know.
  deletesAtFirst: true,
  givesViews: true,
  happens: async ({ cluster, load, realClients }) => {
    const servers = [...cluster.members];
    const [first, second] = cluster.routers;
    if (first === undefined || second === undefined) throw new Error("Cannot tell routers apart: there are too few");
    await cluster.reconfigure({ servers }, [first]);
    await Promise.all([realClients.run(), Bun.sleep(DIFFERENT_MS)]);
    await cluster.reconfigure({ servers }, [second]);
    for (const member of servers) await cluster.waitForState(member, "active");
    await load.waitForRound();
  },
});
