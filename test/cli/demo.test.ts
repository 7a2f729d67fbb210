import { expect, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ChildProcess } from "../support/child-process.ts";
import { describeWithParts, REPOSITORY } from "../support/parts.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

interface QueryAnswer {
  readonly data: { readonly result: readonly { readonly metric: { instance: string } }[] };
}

await describeWithParts(["consul", "pushgateway-1.11.0", "prometheus", "prometheus-2.24"], "npm run demo", () => {
  test.each(["SIGINT", "SIGTERM"] as const)(
    "shows pushes in Prometheus by consul_sd and by http_sd, and %s leaves nothing behind",
    async (signal) => {
      const folder = await temporaryFolder("demo");
      await using cleanup = new AsyncDisposableStack();
      cleanup.defer(() => rm(folder, { recursive: true, force: true }));
      await using demo = new ChildProcess([process.execPath, join(REPOSITORY, "test/demo/run.ts")], {
        env: { TMPDIR: folder },
      });
      const urls = await Promise.race([
        waitFor("the demo's URLs", () => prometheusUrls(demo.output()), { timeoutMs: 60_000 }),
        demo.exited.then((how) =>
          Promise.reject(new Error(`The demo ended with ${how}: ${demo.output().slice(-4_000)}`)),
        ),
      ]);
      for (const url of urls) await waitFor(`20 groups in ${url}`, () => sees(url, 20), { timeoutMs: 60_000 });
      const family = await descendants(demo.pid);
      // Consul, three Pushgateways, two routers, two Prometheus.
      expect(family.length).toBe(8);

      demo.kill(signal);
      expect(await demo.exited).toBe(0);
      expect(family.filter(isAlive)).toEqual([]);
      expect(await readdir(folder)).toEqual([]);
      expect(demo.output()).not.toContain("FAILED");
    },
    150_000,
  );
});

/** The one that finds its targets by consul_sd and the one that does by http_sd, once both are printed. */
function prometheusUrls(output: string): readonly string[] | undefined {
  const urls = [...output.matchAll(/^Prometheus +(http:\/\/[\d.:]+)/gm)].map(([, url]) => url ?? "");
  return urls.length === 2 ? urls : undefined;
}

async function sees(prometheus: string, groups: number): Promise<boolean> {
  const query = new URLSearchParams({ query: "demo_last_run_records" });
  const response = await fetch(`${prometheus}/api/v1/query?${query}`);
  const { data } = (await response.json()) as QueryAnswer;
  const instances = new Set(data.result.map(({ metric }) => metric.instance));
  if (instances.size === groups) return true;
  throw new Error(`${instances.size} groups`);
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
