import { expect, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ChildProcess } from "../support/child-process.ts";
import { describeWithParts, REPOSITORY } from "../support/parts.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

interface QueryAnswer {
  readonly data: { readonly result: readonly { readonly metric: { found_by: string; instance: string } }[] };
}

await describeWithParts(["consul", "pushgateway-1.11.0", "prometheus"], "npm run demo", () => {
  test.each(["SIGINT", "SIGTERM"] as const)(
    "shows pushes in Prometheus by both discoveries, and %s leaves nothing behind",
    async (signal) => {
      const folder = await temporaryFolder("demo");
      await using cleanup = new AsyncDisposableStack();
      cleanup.defer(() => rm(folder, { recursive: true, force: true }));
      await using demo = new ChildProcess([process.execPath, join(REPOSITORY, "test/demo/run.ts")], {
        env: { TMPDIR: folder },
      });
      const prometheus = await waitFor("the demo's URLs", () => urlIn(demo.output(), "Prometheus"), {
        timeoutMs: 60_000,
      });

      await waitFor("20 groups in Prometheus by each discovery", () => seenByBoth(prometheus, 20), {
        timeoutMs: 60_000,
      });
      const family = await descendants(demo.pid);
      // Consul, three Pushgateways, two routers, Prometheus.
      expect(family.length).toBe(7);

      demo.kill(signal);
      expect(await demo.exited).toBe(0);
      expect(family.filter(isAlive)).toEqual([]);
      expect(await readdir(folder)).toEqual([]);
      expect(demo.output()).not.toContain("FAILED");
    },
    150_000,
  );
});

function urlIn(output: string, name: string): string | undefined {
  return new RegExp(`^${name}\\s+(http://[\\d.:]+)`, "m").exec(output)?.[1];
}

async function seenByBoth(prometheus: string, groups: number): Promise<boolean> {
  const query = new URLSearchParams({ query: "demo_last_run_records" });
  const response = await fetch(`${prometheus}/api/v1/query?${query}`);
  const { data } = (await response.json()) as QueryAnswer;
  const seen = (mechanism: string) =>
    new Set(data.result.filter(({ metric }) => metric.found_by === mechanism).map(({ metric }) => metric.instance))
      .size;
  if (seen("consul_sd") === groups && seen("http_sd") === groups) return true;
  throw new Error(`${seen("consul_sd")} by consul_sd, ${seen("http_sd")} by http_sd`);
}

/** The process ids below one, from the kernel's table. */
async function descendants(parent: number): Promise<readonly number[]> {
  const children = (await Bun.file(`/proc/${parent}/task/${parent}/children`).text()).trim();
  const direct = children === "" ? [] : children.split(" ").map(Number);
  const indirect = await Promise.all(direct.map(descendants));
  return [...direct, ...indirect.flat()];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
