import { describe, expect, test } from "bun:test";
import type { Member } from "../membership/member.ts";
import { MemberSet } from "../membership/member-set.ts";
import { type GroupId, groupIdOf } from "../sharding/group-id.ts";
import { groupingKeyOf } from "../sharding/grouping-key.ts";
import { Directory, isDeletion } from "./directory.ts";
import { deleteGroups } from "./group-deletion.ts";
import { PushJournal } from "./push-journal.ts";

const ID = groupIdOf(groupingKeyOf("a", []));
const SEEN = "seen:1";
/** Could not be listed when the group was seen. */
const BACK = "back:1";
const AWAY = "away:1";
const LISTED_AT = 1_000_000;
const SEEN_PUSH_TIME = 900;

type Copies = readonly (readonly [address: string, pushTime: number])[];

function member(address: string): Member {
  return { address, state: address === AWAY ? "down" : "active", draining: false, since: 0, reason: "" };
}

/** Deletes the group, of which these copies are found. Returns what became of it, and whom the look asked. */
async function deleteFound(copies: Copies, learn: (directory: Directory) => void = () => {}) {
  const directory = new Directory();
  learn(directory);
  const removed: string[] = [];
  const asked: string[] = [];
  const lister = {
    measureClocks: async () => {},
    find: async (addresses: readonly string[]) => {
      asked.push(...addresses);
      const found = copies.map(([address, pushTime]) => ({
        ...{ address, pushTime, pushedAt: { seconds: pushTime, uncertainty: 0.05 } },
        ...{ isPieced: false, familiesHash: 0 },
      }));
      const at = LISTED_AT + 5_000;
      return { copies: new Map([[ID, found]]), listed: new Set(addresses), startedAt: at, endedAt: at };
    },
  };
  const removal = {
    removeAll: async (removals: readonly { readonly address: string }[]) => {
      removed.push(...removals.map(({ address }) => address));
      return { done: removals.length, failed: new Set<GroupId>(), late: new Set<GroupId>() };
    },
  };
  const set = MemberSet.of([SEEN, BACK, AWAY].map(member));
  const seen = {
    listedAt: LISTED_AT,
    held: new Map([[SEEN, 1]]),
    copiesOf: () => [{ address: SEEN, pushTime: SEEN_PUSH_TIME }],
  };
  const context = {
    members: () => set,
    isInFlight: () => false,
    directory,
    lister,
    removal,
    journal: new PushJournal(),
  };
  const options = () => ({ auditIntervalMs: 1, cleanUpRate: 10, ttl: [], noticeMs: 1, utf8Names: false });
  const notDeleted = await deleteGroups({ ...context, options }, [ID], seen, new AbortController().signal);
  return { reason: notDeleted.get(ID), removed, asked, isDeleted: isDeletion(directory.get(ID)?.truth) };
}

describe("deleteGroups()", () => {
  const atBack = (directory: Directory) => directory.seen(ID, BACK, LISTED_AT);

  test("deletes what was seen, and remembers it for members that were not", async () => {
    const { reason, removed, isDeleted } = await deleteFound([[SEEN, SEEN_PUSH_TIME]]);
    expect([reason, removed, isDeleted]).toEqual([undefined, [SEEN], true]);
  });

  test("deletes what a member held then that could not be listed", async () => {
    const found = await deleteFound(
      [
        [SEEN, SEEN_PUSH_TIME],
        [BACK, 800],
      ],
      atBack,
    );
    expect([found.reason, found.removed, found.isDeleted]).toEqual([undefined, [SEEN, BACK], true]);
  });

  test("keeps a group that has moved to a member that is known to hold it", async () => {
    const { reason, removed, isDeleted } = await deleteFound([[BACK, LISTED_AT / 1000 + 2]], atBack);
    expect([reason, removed, isDeleted]).toEqual(["pushed", [], false]);
  });

  test("keeps a group of which a member acknowledged a push that is out of reach since", async () => {
    const truth = { address: AWAY, wholeAt: LISTED_AT + 1, at: LISTED_AT + 1 };
    const { reason, asked, isDeleted } = await deleteFound([], (directory) => directory.acknowledged(ID, truth, []));
    expect([reason, asked.includes(AWAY), isDeleted]).toEqual(["pushed", false, false]);
  });
});
