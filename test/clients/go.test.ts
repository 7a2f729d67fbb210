import { expect, test } from "bun:test";
import { join } from "node:path";
import { mergedGroups } from "../support/groups.ts";
import { describeWithParts, part } from "../support/parts.ts";
import { runCommand } from "../support/run-command.ts";
import { buildFolder, describePushClient, MODES, startCluster } from "./push-client.ts";

const program = join(buildFolder("go"), "push");
const PUSHES = 200;

async function build(): Promise<void> {
  const source = join(import.meta.dir, "go/push.go");
  await runCommand([await part("go"), "build", "-o", program, source], { timeoutMs: 120_000 });
}

await describePushClient({
  name: "Go client_golang",
  parts: ["go"],
  modes: ["proxy", "redirect", "auto"],
  groups: 9,
  // Twelve PUT and six POST; DELETE is never redirected.
  redirected: { redirect: 18, auto: 18 },
  prepare: build,
  run: async (url) => {
    await runCommand([program, url]);
  },
});

await describeWithParts(["go", "pushgateway-1.11.0"], "Go client_golang with four grouping labels", () => {
  test.each([...MODES])(
    `keeps one copy of a group over ${PUSHES} pushes in random label order (mode %s)`,
    async (mode) => {
      await build();
      await using cluster = await startCluster(mode);
      await runCommand([program, cluster.router.url, String(PUSHES)]);
      const { groups, doubled } = await mergedGroups(cluster.members.map((member) => member.url));
      expect(Object.fromEntries(doubled)).toEqual({});
      expect([...groups.keys()]).toEqual(['{"empty":"","instance":"host-1","job":"go","path":"/var/lib","zone":"z1"}']);
      expect([...groups.values()]).toMatchObject([{ batch_records: { metrics: [{ value: String(PUSHES) }] } }]);
    },
    120_000,
  );
});
