import { expect } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { groupsOf } from "../support/groups.ts";
import { type ConfigSections, configOf, LocalRouter } from "../support/local-router.ts";
import { type Pushgateway, startPushgateway } from "../support/pushgateway.ts";
import { temporaryFolder } from "../support/server-process.ts";
import { waitFor } from "../support/wait-for.ts";

/** Samples that a member holds of a group, by metric name; undefined when it has no such group. */
type Samples = Readonly<Record<string, number>> | undefined;

/** Real Pushgateways with persistence files, of both versions in turn, and a router over some of them. */
export class PlacementCluster implements AsyncDisposable {
  readonly members: readonly Pushgateway[];
  readonly router: LocalRouter;
  readonly #folder: string;

  private constructor(members: readonly Pushgateway[], router: LocalRouter, folder: string) {
    this.members = members;
    this.router = router;
    this.#folder = folder;
  }

  /** `count` Pushgateways, of which the router knows the first `known`. */
  static async start(count: number, known: number = count, more: ConfigSections = {}): Promise<PlacementCluster> {
    const folder = await temporaryFolder("placement");
    const members = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        startPushgateway({
          version: index % 2 === 0 ? "1.11.0" : "1.5.1",
          persistenceFile: join(folder, `member-${index}`),
          flags: ["--persistence.interval=100ms"],
        }),
      ),
    );
    const router = await LocalRouter.start(configOf(members.slice(0, known), more));
    return new PlacementCluster(members, router, folder);
  }

  async push(path: string, body: string, method = "PUT"): Promise<void> {
    const response = await this.router.push(path, method === "DELETE" ? undefined : body, { method });
    const text = await response.text();
    expect([response.status, text]).toEqual([method === "DELETE" ? 202 : 200, ""]);
  }

  /** Pushes the groups of these jobs, one after the other. */
  async pushAll(jobs: readonly string[], body: string, method = "PUT"): Promise<void> {
    for (const job of jobs) await this.push(`/metrics/job/${job}`, body, method);
  }

  /** What each member that runs holds of the group of a job without further labels. */
  async held(job: string): Promise<Readonly<Record<string, Samples>>> {
    const running = this.members.filter((member) => member.running);
    const entries = await Promise.all(
      running.map(async (member) => [member.address, await samplesAt(member, job)] as const),
    );
    return Object.fromEntries(entries.filter(([, samples]) => samples !== undefined));
  }

  /** Waits until exactly this is held of the group. */
  async waitForHeld(job: string, expected: Readonly<Record<string, Samples>>, timeoutMs = 10_000): Promise<void> {
    const isHeld = async () => Bun.deepEquals(await this.held(job), expected);
    await waitFor(`${job} to be held as ${JSON.stringify(expected)}`, isHeld, { timeoutMs });
  }

  async waitForState(member: Pushgateway, state: string): Promise<void> {
    const isThere = async () => {
      const { data } = (await (await this.router.get("/api/v1/members")).json()) as {
        data: { members: readonly { address: string; state: string }[] };
      };
      return data.members.find(({ address }) => address === member.address)?.state === state;
    };
    await waitFor(`${member.address} to be ${state}`, isThere, { timeoutMs: 30_000 });
  }

  async reconfigure(count: number, more: ConfigSections = {}): Promise<void> {
    expect((await this.router.reconfigure(configOf(this.members.slice(0, count), more))).ok).toBe(true);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router.stop();
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()));
    await rm(this.#folder, { recursive: true, force: true });
  }
}

async function samplesAt(member: Pushgateway, job: string): Promise<Samples> {
  const families = (await groupsOf(member.url)).get(JSON.stringify({ job }));
  if (families === undefined) return undefined;
  return Object.fromEntries(
    Object.entries(families).map(([name, { metrics }]) => [name, Number((metrics[0] as { value: string }).value)]),
  );
}
