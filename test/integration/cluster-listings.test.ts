import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Server } from "bun";
import { MemberSet } from "../../src/membership/member-set.ts";
import { ClusterListings } from "../../src/web/cluster/cluster-listings.ts";
import { WorkSlices } from "../../src/work-slices.ts";

/** A member that lists one group more each time, and only when it is let. */
class SlowLister {
  requests = 0;
  readonly #server: Server<undefined>;
  readonly #gate = Promise.withResolvers<void>();

  constructor() {
    this.#server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => this.#answer(++this.requests) });
  }

  get set(): MemberSet {
    const address = `127.0.0.1:${this.#server.port}`;
    return MemberSet.of([{ address, state: "active", draining: false, since: 0, reason: "" }]);
  }

  /** Answers all requests that are there and those that come. */
  open(): void {
    this.#gate.resolve();
  }

  async stop(): Promise<void> {
    this.open();
    await this.#server.stop(true);
  }

  async #answer(groups: number): Promise<Response> {
    await this.#gate.promise;
    return Response.json({
      status: "success",
      data: Array.from({ length: groups }, (_, index) => ({ labels: { job: `j${index}` } })),
    });
  }
}

let member: SlowLister;
let listings: ClusterListings;

beforeEach(() => {
  member = new SlowLister();
  listings = new ClusterListings(new WorkSlices());
});
afterEach(async () => {
  listings.close();
  await member.stop();
});

async function sizes(all: readonly Promise<{ readonly ids: readonly unknown[] }>[]): Promise<readonly number[]> {
  return (await Promise.all(all)).map(({ ids }) => ids.length);
}

describe("ClusterListings.get()", () => {
  test("has members listed once for all who ask meanwhile and a little later", async () => {
    const { set } = member;
    const asked = Array.from({ length: 20 }, () => listings.get(set, "kept"));
    member.open();
    expect(await sizes(asked)).toEqual(asked.map(() => 1));
    expect(await sizes([listings.get(set, "kept")])).toEqual([1]);
    expect(member.requests).toBe(1);
  });

  test("gives who wants a fresh one none that began before, and shares that, too", async () => {
    const { set } = member;
    const kept = listings.get(set, "kept");
    const fresh = Array.from({ length: 20 }, () => listings.get(set, "fresh"));
    member.open();
    expect(await sizes([kept, ...fresh])).toEqual([1, ...fresh.map(() => 2)]);
    expect(await sizes([listings.get(set, "kept")])).toEqual([2]);
    expect(await sizes([listings.get(set, "fresh")])).toEqual([3]);
    expect(member.requests).toBe(3);
  });

  test("keeps none of other members", async () => {
    member.open();
    await listings.get(member.set, "kept");
    await listings.get(member.set, "kept");
    // Each set that is built anew has a ring of its own.
    expect(member.requests).toBe(2);
  });

  test("counts what members hold, and names those that cannot be listed", async () => {
    const { set } = member;
    const { address } = set.members[0] as { address: string };
    expect(listings.held(address)).toBeUndefined();
    member.open();
    const { held, missing } = await listings.get(set, "fresh");
    expect([held.get(address), missing, listings.held(address)]).toEqual([1, [], 1]);
    await member.stop();
    const later = await listings.get(set, "fresh");
    expect(later.missing.map((each) => each.address)).toEqual([address]);
    expect(listings.held(address)).toBeUndefined();
  });

  test("rejects for who waits when the router stops", async () => {
    const waiting = listings.get(member.set, "kept");
    listings.close();
    await expect(waiting).rejects.toThrow("The router stops");
  });
});
