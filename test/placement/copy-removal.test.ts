import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Removal } from "../../src/placement/copy-removal.ts";
import type { PushJournal } from "../../src/placement/push-journal.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { type RemovalParts, removalParts } from "./removal-parts.ts";
import { WatchedMember } from "./watched-member.ts";

const RATE = 5;
/** Three seconds of work. */
const JOBS = Array.from({ length: 3 * RATE }, (_, index) => `job-${index}`);
const LAST = JOBS[JOBS.length - 1] as string;
/** How long the look took that the removals follow from. */
const LOOK_MS = 4_000;

let resources: AsyncDisposableStack;

beforeEach(() => {
  resources = new AsyncDisposableStack();
});

afterEach(async () => {
  await resources.disposeAsync();
});

/** Removes copies as a router does that knows nothing but what it sees. */
class Remover {
  readonly #parts: RemovalParts;

  constructor(stack: AsyncDisposableStack) {
    this.#parts = removalParts(stack, { members: () => undefined, rate: RATE });
  }

  get journal(): PushJournal {
    return this.#parts.journal;
  }

  /** Removes all that the member has, and carries what the copy at `to` lacks, if a member is named. `meanwhile`: done behind the look. */
  async removeAll(address: string, to?: string, meanwhile: () => Promise<void> = async () => {}) {
    const removals: Removal[] = [];
    const add = ({ id, pushTime }: { id: string; pushTime: number }) =>
      removals.push({
        id,
        address,
        pushTime,
        carriage: to === undefined ? undefined : { from: [address], to, quietS: 60 },
        reason: "stale",
      });
    const { signal } = new AbortController();
    const { lister, removal } = this.#parts;
    await lister.list(address, add, signal);
    removals.sort((a, b) => JOBS.indexOf(a.id) - JOBS.indexOf(b.id));
    await meanwhile();
    const endedAt = Date.now();
    return await removal.removeAll(removals, { startedAt: endedAt - LOOK_MS, endedAt }, signal);
  }
}

async function startMember(speaksGroupsApi: boolean): Promise<[WatchedMember, url: string]> {
  const pushgateway = resources.use(await LocalPushgateway.start());
  for (const job of JOBS) await push(pushgateway.url, job, 1);
  return [resources.use(new WatchedMember(pushgateway.url, { speaksGroupsApi })), pushgateway.url];
}

async function push(url: string, job: string, value: number): Promise<void> {
  const response = await fetch(`${url}/metrics/job/${job}`, { method: "PUT", body: `x ${value}\n` });
  expect(response.status).toBe(200);
}

describe("CopyRemoval", () => {
  test.each([
    ["looking at the member again", "a stock Pushgateway", false],
    ["not looking again", "one of ours", true],
  ])(
    "goes on for as long as the look stands, %s before each second of work at %s, and spares what another router brings there",
    async (_, _kind, speaksGroupsApi) => {
      const [member, url] = await startMember(speaksGroupsApi);
      member.onRequest = async (method) => {
        if (method === "DELETE" && member.deletions === 2) await push(url, LAST, 2);
      };
      const { done, failed, late } = await new Remover(resources).removeAll(member.address);
      expect([...(await groupsOf(url)).keys()]).toEqual([JSON.stringify({ job: LAST })]);
      expect({ done, failed: [...failed], late: [...late] }).toEqual({
        done: JOBS.length - 1,
        failed: [LAST],
        late: [],
      });
      // The first look is the test's own.
      if (speaksGroupsApi) expect(member.looks).toBe(1);
      else expect(member.looks).toBeGreaterThan(2);
    },
    20_000,
  );

  test("spares what another router brought to a stock Pushgateway in the course of a look that took long", async () => {
    const [member, url] = await startMember(false);
    const [first = ""] = JOBS;
    const { failed } = await new Remover(resources).removeAll(member.address, undefined, () => push(url, first, 2));
    expect([...failed]).toEqual([first]);
    expect([...(await groupsOf(url)).keys()]).toEqual([JSON.stringify({ job: first })]);
  }, 20_000);

  test("leaves a copy of which a push was acknowledged since the look, wherever it went", async () => {
    const [member, url] = await startMember(true);
    const remover = new Remover(resources);
    member.onRequest = async (method) => {
      if (method === "DELETE" && member.deletions === 2) remover.journal.note(LAST, Date.now());
    };
    const { failed } = await remover.removeAll(member.address);
    expect([...failed]).toEqual([LAST]);
    expect([...(await groupsOf(url)).keys()]).toEqual([JSON.stringify({ job: LAST })]);
  }, 20_000);

  test("brings nothing to a member that had the copy that counts and has none any more, and leaves all where it is", async () => {
    const [member, url] = await startMember(true);
    const emptied = resources.use(await LocalPushgateway.start());
    expect(await new Remover(resources).removeAll(member.address, emptied.address)).toMatchObject({ done: 0 });
    expect([...(await groupsOf(emptied.url)).keys()]).toEqual([]);
    expect((await groupsOf(url)).size).toBe(JOBS.length);
  }, 20_000);
});
