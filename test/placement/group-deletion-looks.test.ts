import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { MemberState } from "../../src/membership/member.ts";
import { MemberSet } from "../../src/membership/member-set.ts";
import type { Truth } from "../../src/placement/directory.ts";
import { deleteGroups, type NotDeleted, type SeenGroups } from "../../src/placement/group-deletion.ts";
import { ownerOf } from "../../src/placement/group-owner.ts";
import { groupIdOf } from "../../src/sharding/group-id.ts";
import { groupingKeyOf } from "../../src/sharding/grouping-key.ts";
import { ClusterListings } from "../../src/web/cluster/cluster-listings.ts";
import { LocalPushgateway } from "../support/embedded-pushgateway.ts";
import { groupsOf } from "../support/groups.ts";
import { removalParts } from "./removal-parts.ts";
import { WatchedMember } from "./watched-member.ts";

const TEST_TIMEOUT_MS = 20_000;
const JOB = "a";
const ID = groupIdOf(groupingKeyOf(JOB, []));
const RATE = 10;
const OPTIONS = { auditIntervalMs: 60_000, cleanUpRate: RATE, ttl: [], noticeMs: 1_000, utf8Names: false };

let resources: AsyncDisposableStack;

beforeEach(() => {
  resources = new AsyncDisposableStack();
});

afterEach(async () => {
  await resources.disposeAsync();
});

/** Does not delete on condition, so that whatever is spared there, the router has spared. */
class StockMember {
  readonly pushgateway: LocalPushgateway;
  readonly watched: WatchedMember;

  private constructor(pushgateway: LocalPushgateway) {
    this.pushgateway = pushgateway;
    this.watched = resources.use(new WatchedMember(pushgateway.url, { speaksGroupsApi: false }));
  }

  static async start(): Promise<StockMember> {
    return new StockMember(resources.use(await LocalPushgateway.start()));
  }

  get address(): string {
    return this.watched.address;
  }

  async push(): Promise<void> {
    await this.#put(`/metrics/job/${JOB}`);
  }

  /** So long ago that no clock makes it one of now. */
  async pushedLongAgo(): Promise<void> {
    await this.#put(`/api/v1/group?path=/metrics/job/${JOB}&push_time_seconds=${Date.now() / 1000 - 60}`);
  }

  async delete(): Promise<void> {
    const response = await fetch(`${this.pushgateway.url}/metrics/job/${JOB}`, { method: "DELETE" });
    expect(response.status).toBe(202);
  }

  async holdsGroup(): Promise<boolean> {
    return (await groupsOf(this.pushgateway.url)).has(JSON.stringify({ job: JOB }));
  }

  async #put(path: string): Promise<void> {
    const response = await fetch(`${this.pushgateway.url}${path}`, { method: "PUT", body: "x 1\n" });
    expect(response.status).toBe(200);
  }
}

/** Two members, and what a router deletes groups with. */
class Cluster {
  /** Owns the group, whether the other one is there or not. */
  readonly owner: StockMember;
  readonly other: StockMember;
  readonly #parts = removalParts(resources, { members: () => this.#set, rate: RATE });
  readonly #listings = new ClusterListings(this.#parts.slices);
  #set: MemberSet;

  private constructor(members: readonly [StockMember, StockMember]) {
    resources.defer(() => this.#listings.close());
    this.#set = setOf(members.map(({ address }) => [address, "active"]));
    const isFirst = ownerOf(this.#set, ID) === members[0].address;
    [this.owner, this.other] = isFirst ? members : [members[1], members[0]];
  }

  /** With the group at its owner. */
  static async start(): Promise<Cluster> {
    const cluster = new Cluster([await StockMember.start(), await StockMember.start()]);
    await cluster.owner.push();
    return cluster;
  }

  get directory() {
    return this.#parts.directory;
  }

  get truth(): Truth | undefined {
    return this.directory.get(ID)?.truth;
  }

  otherIs(state: MemberState): void {
    this.other.watched.isAway = state === "down";
    this.#set = setOf([
      [this.owner.address, "active"],
      [this.other.address, state],
    ]);
  }

  /** What somebody sees who decides to delete the group. */
  async look(): Promise<SeenGroups> {
    return await this.#listings.get(this.#set, "fresh");
  }

  /** The same, while the other member is away. */
  async lookWithoutOther(): Promise<SeenGroups> {
    this.otherIs("down");
    const seen = await this.look();
    this.otherIs("active");
    return seen;
  }

  /** Why the group was not deleted; undefined: it was. */
  async delete(seen: SeenGroups): Promise<NotDeleted | undefined> {
    const context = { ...this.#parts, options: () => OPTIONS };
    return (await deleteGroups(context, [ID], seen, new AbortController().signal)).get(ID);
  }
}

function setOf(states: readonly (readonly [address: string, state: MemberState])[]): MemberSet {
  return MemberSet.of(states.map(([address, state]) => ({ address, state, draining: false, since: 0, reason: "" })));
}

describe("deleteGroups()", () => {
  test(
    "deletes what was seen, and remembers it for members that were not",
    async () => {
      const cluster = await Cluster.start();
      const { owner, other, directory } = cluster;
      cluster.otherIs("down");
      const seen = await cluster.look();
      expect(await cluster.delete(seen)).toBeUndefined();
      expect(await owner.holdsGroup()).toBe(false);
      expect(cluster.truth).toMatchObject({ address: undefined, at: seen.listedAt });
      expect(directory.holdersOf(ID)).toEqual([other.address]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "deletes what a member held then that could not be listed, and has come back",
    async () => {
      const cluster = await Cluster.start();
      const { owner, other, directory } = cluster;
      await other.pushedLongAgo();
      directory.seen(ID, other.address, Date.now());
      const seen = await cluster.lookWithoutOther();
      expect(await cluster.delete(seen)).toBeUndefined();
      expect([await owner.holdsGroup(), await other.holdsGroup()]).toEqual([false, false]);
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "keeps a group that has moved to a member that is known to hold it",
    async () => {
      const cluster = await Cluster.start();
      const { owner, other, directory } = cluster;
      const seen = await cluster.lookWithoutOther();
      await other.push();
      await owner.delete();
      directory.seen(ID, other.address, Date.now());
      expect(await cluster.delete(seen)).toBe("pushed");
      expect(await other.holdsGroup()).toBe(true);
      expect(cluster.truth).toBeUndefined();
    },
    TEST_TIMEOUT_MS,
  );

  test(
    "keeps a group of which a member acknowledged a push that is out of reach since",
    async () => {
      const cluster = await Cluster.start();
      const { owner, other, directory } = cluster;
      const seen = await cluster.look();
      await other.push();
      const at = seen.listedAt + 1;
      const truth = { address: other.address, wholeAt: at, at };
      directory.acknowledged(ID, truth, [owner.address]);
      cluster.otherIs("down");
      const { requests } = other.watched;
      expect(await cluster.delete(seen)).toBe("pushed");
      expect(other.watched.requests).toBe(requests);
      expect(await owner.holdsGroup()).toBe(true);
      expect(cluster.truth).toEqual(truth);
    },
    TEST_TIMEOUT_MS,
  );
});
