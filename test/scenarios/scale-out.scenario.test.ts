import { describeScenario } from "./scenario.ts";

await describeScenario({
  title: "scale out from 3 to 6",
  members: 3,
  spare: 3,
  happens: async ({ cluster, load, realClients }) => {
    const servers = [...cluster.members];
    // One router hears of it a moment before the other, as two reloads do.
    for (const router of cluster.routers) await cluster.reconfigure({ servers }, [router]);
    await realClients.run();
    for (const member of servers) await cluster.waitForState(member, "active");
    await load.waitForRound();
    await Bun.sleep(5_000);
  },
});
