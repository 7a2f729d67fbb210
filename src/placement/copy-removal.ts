import type { GroupId } from "../sharding/group-id.ts";
import type { Carriage, Carrier, CarryOutcome } from "./carrier.ts";
import { CarryGuard } from "./carry-guard.ts";
import type { CleanUp } from "./clean-up.ts";
import type { ClusterLister, FoundCopies } from "./cluster-lister.ts";
import type { Directory } from "./directory.ts";
import { ownerOf } from "./group-owner.ts";
import type { KeyGates } from "./key-gates.ts";
import type { Pace } from "./pace.ts";
import type { PlacementSurroundings } from "./placement-surroundings.ts";
import type { PushJournal } from "./push-journal.ts";

export interface CopyRemovalContext extends Pick<PlacementSurroundings, "members" | "isInFlight" | "slices"> {
  readonly directory: Directory;
  readonly lister: ClusterLister;
  readonly carrier: Carrier;
  readonly cleanUp: CleanUp;
  readonly gates: KeyGates;
  readonly pace: Pace;
  /** Open from a look to the last removal that follows from it. */
  readonly journal: PushJournal;
}

/** A copy that is to go. */
export interface Removal {
  readonly id: GroupId;
  readonly address: string;
  /** The copy that was seen, by the member's clock. */
  readonly pushTime: number;
  /** What its group's newest copy gets before, of all others; undefined: it lacks nothing. */
  readonly carriage: Pick<Carriage, "from" | "to" | "quietS"> | undefined;
  readonly reason: "stale" | "deleted" | "expired";
}

/** What became of removals. The others were left: their copies are still needed. */
interface RemovalOutcomes {
  done: number;
  readonly failed: Set<GroupId>;
  /** Those for which the look had become too old. */
  readonly late: Set<GroupId>;
}

/** When a look began and ended. */
type Look = Pick<FoundCopies, "startedAt" | "endedAt">;

const NOBODY: ReadonlyMap<string, number> = new Map();
const MAX_CARRY_MS = 2_000;
/**
 * Nothing is deleted on the strength of a look at its member that ended longer ago. Another router may have cleaned the member, taken
 * it into service and pushed to it meanwhile; it waits for longer than this before it does (`admit`). Pushgateways of ours need no such
 * haste: they spare a copy that is newer than the one that was seen.
 */
const FRESH_MS = 1_000;
/**
 * So many times as long as it took, a look at all members stands, as to there being newer copies elsewhere, but for so long at most.
 * Where looks take long, they so take a quarter of the time.
 */
const STANDS_FACTOR = 3;
const MAX_STANDS_MS = 30_000;

/** Takes copies away that do not count, at the rate that members are cleaned at, and sees to it that they still are what was seen. */
export class CopyRemoval {
  readonly #context: CopyRemovalContext;
  #listing: Promise<unknown> = Promise.resolve();

  constructor(context: CopyRemovalContext) {
    this.#context = context;
  }

  /**
   * Takes the copies away, unless a push of the group has come since the look, or what they hold cannot be carried over while
   * others may push. What cannot be done while the look stands needs another one.
   */
  async removeAll(removals: readonly Removal[], look: Look, signal: AbortSignal): Promise<RemovalOutcomes> {
    const outcomes: RemovalOutcomes = { done: 0, failed: new Set(), late: new Set() };
    const byMember = Map.groupBy(removals, ({ address }) => address);
    await Promise.all([...byMember].map(([address, own]) => this.#removeFrom(address, own, look, outcomes, signal)));
    return outcomes;
  }

  async #removeFrom(
    address: string,
    removals: readonly Removal[],
    look: Look,
    outcomes: RemovalOutcomes,
    signal: AbortSignal,
  ): Promise<void> {
    const { members, pace, cleanUp, slices } = this.#context;
    const standsMs = Math.min(MAX_STANDS_MS, STANDS_FACTOR * (look.endedAt - look.startedAt));
    const standsUntil = look.endedAt + Math.max(FRESH_MS, standsMs);
    const sparesNewer = await cleanUp.knowsConditions(address);
    const set = members();
    // Of a look at many members, any may have been the first.
    let freshUntil = sparesNewer ? Number.POSITIVE_INFINITY : look.startedAt + FRESH_MS;
    let left = removals;
    do {
      let batch = pace.withinASecond(left, () => address);
      left = left.slice(batch.length);
      if (Date.now() > freshUntil - FRESH_MS / 2) {
        batch = await this.#lookAgain(address, batch, outcomes, signal);
        freshUntil = Date.now() + FRESH_MS;
      }
      const late = await this.#removeBatch(batch, look.startedAt, freshUntil, outcomes, signal);
      if (late.length > 0) left = [...late, ...left];
      // When members have changed, a newer copy may have gone with one of them.
    } while (left.length > 0 && Date.now() < standsUntil && members() === set);
    await slices.visit(left, ({ id }) => outcomes.late.add(id));
  }

  /** Those whose copies still are what was seen. One member is listed at a time. */
  async #lookAgain(
    address: string,
    batch: readonly Removal[],
    outcomes: RemovalOutcomes,
    signal: AbortSignal,
  ): Promise<readonly Removal[]> {
    const seen = new Map(batch.map(({ id, pushTime }) => [id, pushTime]));
    const same = new Set<GroupId>();
    const list = () =>
      this.#context.lister.list(
        address,
        ({ id, pushTime }) => {
          if (seen.get(id) === pushTime) same.add(id);
        },
        signal,
      );
    const listing = this.#listing.then(list);
    this.#listing = listing.catch(() => {});
    const isListed = await listing.then(
      () => true,
      () => false,
    );
    signal.throwIfAborted();
    for (const { id } of batch) if (!same.has(id)) outcomes.failed.add(id);
    return isListed ? batch.filter(({ id }) => same.has(id)) : [];
  }

  /** Returns those for which there was not enough time. */
  async #removeBatch(
    batch: readonly Removal[],
    lookedAt: number,
    freshUntil: number,
    outcomes: RemovalOutcomes,
    signal: AbortSignal,
  ): Promise<readonly Removal[]> {
    const late: Removal[] = [];
    const step = async (removal: Removal) => {
      if (Date.now() > freshUntil) {
        late.push(removal);
        return;
      }
      const outcome = await this.#remove(removal, lookedAt);
      if (outcome === "done") outcomes.done++;
      else if (outcome === "failed") outcomes.failed.add(removal.id);
    };
    await this.#context.pace.each(batch, ({ address }) => address, signal, step);
    return late;
  }

  async #remove({ id, address, pushTime, carriage, reason }: Removal, lookedAt: number): Promise<CarryOutcome> {
    const { gates, carrier, cleanUp, directory, journal, members, isInFlight } = this.#context;
    return await gates.close(id, async () => {
      // A push that is on its way cleans up after itself, and what was seen before it no longer holds.
      const isOutdated = (directory.get(id)?.truth?.at ?? 0) > lookedAt;
      if (isOutdated || journal.has(id, lookedAt) || isInFlight(id)) return "failed";
      if (carriage !== undefined) {
        const outcome = await carryInTime(carrier, {
          id,
          ...carriage,
          elsewhere: [],
          returning: NOBODY,
          isBehindPush: false,
        });
        // The next push finds both copies in the directory, and joins them with nobody in between.
        if (outcome !== "done") return outcome;
      }
      const isGone = await cleanUp.remove(id, address, reason, pushTime);
      directory.dropIfAtHome(id, ownerOf(members(), id));
      return isGone ? "done" : "failed";
    });
  }
}

/** A push of the group waits meanwhile, so this must not take long. */
async function carryInTime(carrier: Carrier, carriage: Carriage): Promise<CarryOutcome> {
  const guard = new CarryGuard();
  const timer = setTimeout(() => void guard.cancel(), MAX_CARRY_MS);
  try {
    return (await carrier.carry(carriage, guard)).outcome;
  } finally {
    clearTimeout(timer);
  }
}
