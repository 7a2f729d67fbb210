import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PushgatewayProcess } from "../support/embedded-pushgateway.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

const CLIENTS = 20;
const ROUNDS = 4;

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder("pushgateway");
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function server(name: string, ...flags: readonly string[]): PushgatewayProcess {
  return new PushgatewayProcess([`--persistence.file=${join(folder, name)}`, ...flags]);
}

/** A client with a group of its own, in which it counts; now and then it deletes the group. */
class Client {
  readonly job: string;
  #count = 0;
  /** What the group may hold: what was acknowledged last, and what may have been carried out since. 0 for no group. */
  #possible: readonly number[] = [0];
  acknowledged = 0;

  constructor(job: string) {
    this.job = job;
  }

  /** Pushes until the server is gone. */
  async run(target: PushgatewayProcess): Promise<void> {
    for (;;) {
      this.#count++;
      const isDelete = this.#count % 7 === 0;
      const next = isDelete ? 0 : this.#count;
      this.#possible = [...this.#possible, next];
      const path = `/metrics/job/${this.job}`;
      const answer = isDelete ? target.request("DELETE", path) : target.request("PUT", path, `count ${next}\n`);
      const status = await answer.then(
        (response) => response.status,
        () => undefined,
      );
      if (status === undefined) return;
      expect(status).toBe(isDelete ? 202 : 200);
      this.#possible = [next];
      this.acknowledged++;
    }
  }

  check(lines: readonly string[]): void {
    const label = `{instance="",job="${this.job}"} `;
    const line = lines.find((candidate) => candidate.startsWith(`count${label}`));
    const held = line === undefined ? 0 : Number(line.slice(line.lastIndexOf(" ")));
    expect(this.#possible).toContain(held);
    expect(lines.some((candidate) => candidate.startsWith(`push_time_seconds${label}`))).toBe(held !== 0);
    this.#possible = [held];
  }
}

describe("dynamic-sharding pushgateway --persistence.file", () => {
  test("loses nothing that it acknowledged when it is killed under load, with --persistence.sync=push", async () => {
    await using pushgateway = server("push", "--persistence.sync=push");
    const clients = Array.from({ length: CLIENTS }, (_, index) => new Client(`client${index}`));
    await pushgateway.start();
    for (let round = 1; round <= ROUNDS; round++) {
      const running = Promise.all(clients.map((client) => client.run(pushgateway)));
      const total = () => clients.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
      await waitFor("pushes", () => total() >= round * 1_000);
      pushgateway.kill("SIGKILL");
      await pushgateway.exited();
      await running;
      await pushgateway.start();
      const lines = await pushgateway.groupLines();
      for (const client of clients) client.check(lines);
    }
  }, 120_000);

  test("loses no more than what came after its last save, by default", async () => {
    await using pushgateway = server("interval", "--persistence.interval=20ms");
    await pushgateway.start();
    await pushgateway.request("PUT", "/metrics/job/a", "x 1\n");
    const saved = /^pushgateway_persistence_unsaved_groups 0$/m;
    await waitFor("a save", async () => saved.test(await (await pushgateway.request("GET", "/metrics")).text()));
    const lines = await pushgateway.groupLines();
    pushgateway.kill("SIGKILL");
    await pushgateway.exited();
    await pushgateway.start();
    expect(await pushgateway.groupLines()).toEqual(lines);
  });

  test("saves at the end, and shows the same after a restart", async () => {
    await using pushgateway = server("stop", "--persistence.interval=1h");
    await pushgateway.start();
    for (let i = 0; i < 300; i++) {
      await pushgateway.request(
        "POST",
        `/metrics/job/j/i/${i}`,
        `# TYPE x counter\n# HELP x X.\nx{l="é"} ${i}\ny NaN\n`,
      );
    }
    expect((await pushgateway.request("PUT", "/metrics/job/failed", "x{\n")).status).toBe(400);
    await pushgateway.request("DELETE", "/metrics/job/j/i/7");
    const lines = await pushgateway.groupLines();
    expect(lines.length).toBeGreaterThan(1_000);
    pushgateway.kill("SIGTERM");
    expect(await pushgateway.exited()).toBe(0);
    await pushgateway.start();
    expect(await pushgateway.groupLines()).toEqual(lines);
  });

  test("does not start on a file that it cannot use", async () => {
    await writeFile(join(folder, "foreign"), "not a database\n".repeat(100));
    await using pushgateway = server("foreign");
    const start = pushgateway.start();
    expect(start).rejects.toThrow("it ended with 1");
    await start.catch(() => {});
    expect(pushgateway.output()).toContain("it is no persistence file");
  });

  test("answers 500 to pushes that it cannot save, and saves them once it can", async () => {
    await using pushgateway = server("away", "--persistence.sync=push", "--web.enable-admin-api");
    const file = join(folder, "away");
    await pushgateway.start();
    expect((await pushgateway.request("PUT", "/metrics/job/a", "x 1\n")).status).toBe(200);
    await rename(file, `${file}-elsewhere`);
    expect((await pushgateway.request("PUT", "/metrics/job/b", "x 1\n")).status).toBe(500);
    expect((await pushgateway.request("DELETE", "/metrics/job/a")).status).toBe(500);
    expect((await pushgateway.request("PUT", "/api/v1/admin/wipe")).status).toBe(500);
    expect((await pushgateway.request("GET", "/-/healthy")).status).toBe(200);
    await rename(`${file}-elsewhere`, file);
    expect((await pushgateway.request("PUT", "/metrics/job/c", "x 1\n")).status).toBe(200);
    const lines = await pushgateway.groupLines();
    pushgateway.kill("SIGKILL");
    await pushgateway.exited();
    await pushgateway.start();
    expect(await pushgateway.groupLines()).toEqual(lines);
  });
});
