import type { Logger } from "../log.ts";
import type { GroupContents } from "../pushgateway/group-contents.ts";
import type { GroupId } from "../sharding/group-id.ts";
import { CarryGuard } from "./carry-guard.ts";
import type { CleanUp } from "./clean-up.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import type { Directory, Truth } from "./directory.ts";
import type { Doubts } from "./doubts.ts";
import { familiesToCarry, type ReadFamily } from "./family-choice.ts";
import type { GroupReader } from "./group-reader.ts";
import { earliestMs, type LocalTime, latestMs, type MemberClocks } from "./member-clocks.ts";
import type { PlacementObserver } from "./placement-surroundings.ts";

export interface CarrierContext {
  readonly cleanUp: CleanUp;
  readonly directory: Directory;
  readonly clocks: MemberClocks;
  readonly doubts: Doubts;
  readonly reader: GroupReader;
  readonly lister: ClusterLister;
  readonly observer: PlacementObserver;
  readonly log: Logger;
}

/** What is to be carried. */
export interface Carriage {
  readonly id: GroupId;
  /** Members that hold a copy, or may hold one. */
  readonly from: readonly string[];
  readonly to: string;
  /** Members that are looked at, too, before anything is carried: others may know of copies there. */
  readonly elsewhere: readonly string[];
  /**
   * Of these, those that have just come back, and when, in milliseconds by this router's clock: what they hold from before may be about
   * to be deleted by another router, and is not carried; but nothing older from anywhere is, either.
   */
  readonly returning: ReadonlyMap<string, number>;
  /** Whether the target has just acknowledged the group's newest push: what that brought is kept, whatever clocks say. */
  readonly isBehindPush: boolean;
  /** For how many seconds nobody must have pushed to the target, which must have a copy then; 0: whatever it has. */
  readonly quietS: number;
}

/** `done`: the copy is not needed any more. `left`: it is, for now. `failed`: as it is, and a member did not do its part. */
export type CarryOutcome = "done" | "left" | "failed";

export interface CarryResult {
  readonly outcome: CarryOutcome;
  /** By member, the push times of the copies that were read, by their clocks. */
  readonly read: ReadonlyMap<string, number>;
}

/** What a member holds of a group. */
interface Copy {
  readonly address: string;
  readonly contents: GroupContents;
}

/** When clocks that cannot be read are taken as they are known. */
const CLOCKS_TIMEOUT_MS = 3_000;
/** Of a group that is being pushed, what was read longer ago is looked at once more before it is written. */
const FRESH_MS = 100;
const NOTHING_READ: ReadonlyMap<string, number> = new Map();

/** Carries families from copies of a group to the one that counts. Whoever has it do so sees to it that no push is between. */
export class Carrier {
  readonly #context: CarrierContext;

  constructor(context: CarrierContext) {
    this.#context = context;
  }

  /**
   * Gives the target the families of the other copies that it lacks or has from an earlier push. It must not be pushed to meanwhile:
   * what came between the look and the step would be overwritten. Ends at once when it is cancelled.
   *
   * What is carried looks newly pushed, so that nothing older can be told from it afterwards. Therefore all copies are looked at
   * before: also those elsewhere, which the directory then knows.
   */
  async carry(carriage: Carriage, guard: CarryGuard = new CarryGuard()): Promise<CarryResult> {
    const stopped = guard.whenStopped.then((): CarryResult => ({ outcome: "left", read: NOTHING_READ }));
    return await Promise.race([this.#carry(carriage, guard), stopped]);
  }

  async #carry(carriage: Carriage, guard: CarryGuard): Promise<CarryResult> {
    const { id, from, to, elsewhere } = carriage;
    const { log, observer } = this.#context;
    try {
      const readAt = performance.now();
      // One that cannot be read may have what is newest, and nothing may then be carried.
      const copies = await this.#read(id, [to, ...from, ...elsewhere]);
      const outcome = await this.#carryFrom(copies, carriage, readAt, guard);
      return { outcome, read: new Map(copies.map(({ address, contents }) => [address, contents.pushTime])) };
    } catch (error) {
      observer.cleanUpFailed();
      log.debug("Cannot carry families over, will try again", { from: from.join(" "), to, err: error });
      return { outcome: "failed", read: NOTHING_READ };
    }
  }

  async #carryFrom(
    copies: readonly Copy[],
    carriage: Carriage,
    readAt: number,
    guard: CarryGuard,
  ): Promise<CarryOutcome> {
    const { id, to, quietS } = carriage;
    const { cleanUp, observer, directory } = this.#context;
    // A look has found a copy there. When there is none any more, somebody else has deleted or replaced the group since.
    if (quietS > 0 && !copies.some(({ address }) => address === to)) return "left";
    for (const { address } of copies) if (address !== to) directory.seen(id, address, Date.now());
    if (copies.length > 1) await this.#measureClocks(copies.map(({ address }) => address));
    const missing = this.#missingAt(carriage, copies);
    if (missing.length === 0) return "done";
    if (!this.#isWritable(carriage, copies)) return "left";
    const involved = new Set([to, ...missing.map(({ address }) => address)]);
    if (!(await this.#areUnchanged(carriage, involved, copies, readAt))) return "left";
    const families = missing.map(({ family }) => family);
    const isWritten = await guard.write(() => cleanUp.put(id, families, to, "POST"));
    if (isWritten !== true) return isWritten === undefined ? "left" : "failed";
    observer.familiesCarried(families.length);
    return "done";
  }

  async #measureClocks(addresses: readonly string[]): Promise<void> {
    await this.#context.lister.measureClocks(addresses, AbortSignal.timeout(CLOCKS_TIMEOUT_MS)).catch(() => {});
  }

  /** Whether nobody has pushed to the copies on these members, nor deleted them, since they were read. */
  async #areUnchanged(
    { id, quietS }: Carriage,
    members: ReadonlySet<string>,
    copies: readonly Copy[],
    readAt: number,
  ): Promise<boolean> {
    if (quietS > 0 || performance.now() - readAt <= FRESH_MS) return true;
    const again = await this.#read(id, [...members]);
    const timeIn = (read: readonly Copy[], member: string) =>
      read.find(({ address }) => address === member)?.contents.pushTime;
    return [...members].every((member) => timeIn(copies, member) === timeIn(again, member));
  }

  /** Whether the target has been quiet for long enough, and the others can be read whole. */
  #isWritable({ from, to, quietS }: Carriage, copies: readonly Copy[]): boolean {
    const { clocks, log } = this.#context;
    const target = copies.find(({ address }) => address === to);
    const pushedAt = clocks.localTime(to, target?.contents.pushTime ?? 0, Date.now()).seconds;
    if (Date.now() / 1000 - pushedAt < quietS) return false;
    const isReadable = !copies.some(({ address, contents }) => address !== to && contents.incomplete);
    if (!isReadable) {
      const members = { from: from.join(" "), to };
      log.warn("Cannot carry native histograms over, so several copies of a group stay", members);
    }
    return isReadable;
  }

  /** The copies on these members. */
  async #read(id: GroupId, addresses: readonly string[]): Promise<readonly Copy[]> {
    const { reader } = this.#context;
    const copies = await Promise.all(
      addresses.map(async (address) => ({ address, contents: await reader.read(address, id) })),
    );
    return copies.filter((copy): copy is Copy => copy.contents !== undefined);
  }

  /** The families that the target lacks, or has from an earlier push. */
  #missingAt({ id, to, returning, isBehindPush }: Carriage, copies: readonly Copy[]): readonly ReadFamily[] {
    const { clocks, directory, doubts } = this.#context;
    const truth = directory.get(id)?.truth;
    const now = Date.now();
    const families = copies.flatMap(({ address, contents }) =>
      contents.families.map((family) => {
        const pushedAt = clocks.localTime(address, family.pushedAt, now);
        const mayBeGone = earliestMs(pushedAt) <= (returning.get(address) ?? 0);
        return { address, family, pushedAt, doubtedAt: doubts.about(id, address, pushedAt), mayBeGone };
      }),
    );
    const justPushed = isBehindPush ? lastPushedAt(to, copies) : NONE;
    const living = families.filter(
      ({ address, family, pushedAt, doubtedAt }) =>
        !justPushed.has(family.name) && (address === to || !isReplaced(truth, address, pushedAt, doubtedAt)),
    );
    return familiesToCarry(living, to);
  }
}

const NONE: ReadonlySet<string> = new Set();

/** Names of the families that the member's last push brought. */
function lastPushedAt(address: string, copies: readonly Copy[]): ReadonlySet<string> {
  const contents = copies.find((copy) => copy.address === address)?.contents;
  const families = contents?.families.filter(({ pushedAt }) => pushedAt === contents.pushTime) ?? [];
  return new Set(families.map(({ name }) => name));
}

/** Whether the group was replaced elsewhere, or deleted, after this was pushed for certain; what is in doubt was pushed before the doubt arose. */
function isReplaced(
  truth: Truth | undefined,
  address: string,
  pushedAt: LocalTime,
  doubtedAt: number | undefined,
): boolean {
  if (truth?.wholeAt === undefined || truth.address === address) return false;
  return (doubtedAt ?? latestMs(pushedAt)) < truth.wholeAt;
}
