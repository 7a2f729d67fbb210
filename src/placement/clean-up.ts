import type { Logger } from "../log.ts";
import type { FeatureDetection } from "../pushgateway/feature-detection.ts";
import { type ContentFamily, encodeGroupBody, type GroupContents } from "../pushgateway/group-contents.ts";
import {
  deleteGroup,
  deleteGroupIfNotNewer,
  type GroupRequestResult,
  putGroup,
  putGroupIfNotNewer,
} from "../pushgateway/group-requests.ts";
import type { PushgatewayClients } from "../pushgateway/pushgateway-clients.ts";
import { type GroupId, keyOfGroupId } from "../sharding/group-id.ts";
import { CarryGuard } from "./carry-guard.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import type { Directory, Truth } from "./directory.ts";
import type { Doubts } from "./doubts.ts";
import { familiesToCarry } from "./family-choice.ts";
import type { GroupReader } from "./group-reader.ts";
import type { LocalTime, MemberClocks } from "./member-clocks.ts";
import type { PlacementObserver, RemovalReason } from "./placement-surroundings.ts";

export interface CleanUpContext {
  readonly clients: PushgatewayClients;
  readonly directory: Directory;
  readonly clocks: MemberClocks;
  readonly doubts: Doubts;
  readonly reader: GroupReader;
  readonly lister: ClusterLister;
  readonly features: FeatureDetection;
  readonly utf8Names: () => boolean;
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
  /** For how many seconds nobody must have pushed to the target, which must have a copy then; 0: whatever it has. */
  readonly quietS: number;
}

/** `done`: the copy is not needed any more. `left`: it is, for now. `failed`: as it is, and a member did not do its part. */
export type CarryOutcome = "done" | "left" | "failed";

/** What a member holds of a group. */
interface Copy {
  readonly address: string;
  readonly contents: GroupContents;
}

/** When a member that was asked to delete or to take families is given up. It is asked again later. */
const REQUEST_TIMEOUT_MS = 3_000;
const DETECTION_TIMEOUT_MS = 1_000;

/** The two steps that move groups: carry families over, and delete a copy. Whoever takes them sees to it that no push is between. */
export class CleanUp {
  readonly #context: CleanUpContext;

  constructor(context: CleanUpContext) {
    this.#context = context;
  }

  /**
   * Deletes a copy. `seenPushTime`: the copy that was seen, by the member's clock; a member that can spares a newer one then. False:
   * the member did not do it, and may still have the copy.
   */
  async remove(id: GroupId, address: string, reason: RemovalReason, seenPushTime?: number): Promise<boolean> {
    const { directory, observer, log } = this.#context;
    const result = await this.#delete(id, address, seenPushTime);
    if (!result.ok) {
      observer.cleanUpFailed();
      log.debug("Cannot delete a copy, will try again", { member: address, err: result.detail });
      return false;
    }
    directory.forget(id, address);
    observer.copyRemoved(reason);
    return true;
  }

  async #delete(id: GroupId, address: string, seenPushTime: number | undefined): Promise<GroupRequestResult> {
    const client = this.#context.clients.get(address);
    const key = keyOfGroupId(id);
    const isConditional = seenPushTime !== undefined && (await this.knowsConditions(address));
    return isConditional
      ? await deleteGroupIfNotNewer(client, key, seenPushTime, this.#requestOptions())
      : await deleteGroup(client, key, this.#requestOptions());
  }

  /** Whether the member is a Pushgateway of ours, which deletes and stores on condition. */
  async knowsConditions(address: string): Promise<boolean> {
    const options = { timeoutMs: DETECTION_TIMEOUT_MS };
    return await this.#context.features.speaksGroupsApi(address, options).catch(() => false);
  }

  /**
   * Gives the target the families of the other copies that it lacks or has from an earlier push. It must not be pushed to meanwhile:
   * what came between the look and the step would be overwritten. Ends at once when it is cancelled.
   *
   * What is carried looks newly pushed, so that nothing older can be told from it afterwards. Therefore all copies are looked at
   * before: also those elsewhere, which the directory then knows.
   */
  async carry(carriage: Carriage, guard: CarryGuard = new CarryGuard()): Promise<CarryOutcome> {
    const stopped = guard.whenStopped.then((): CarryOutcome => "left");
    return await Promise.race([this.#carry(carriage, guard), stopped]);
  }

  async #carry(carriage: Carriage, guard: CarryGuard): Promise<CarryOutcome> {
    const { id, from, to, elsewhere, quietS } = carriage;
    const { log, observer, directory } = this.#context;
    try {
      const known = await this.#read(id, [to, ...from]);
      // A look has found a copy there. When there is none any more, somebody else has deleted or replaced the group since.
      if (quietS > 0 && !known.some(({ address }) => address === to)) return "left";
      if ((await this.#missingAt(carriage, known)).length === 0) return "done";
      // Who is away is passed over: it is cleaned when it returns.
      const others = (await Promise.all(elsewhere.map((one) => this.#read(id, [one]).catch(() => [])))).flat();
      const copies = [...known, ...others];
      for (const { address } of copies) if (address !== to) directory.seen(id, address, Date.now());
      const missing = await this.#missingAt(carriage, copies);
      if (missing.length === 0) return "done";
      if (!this.#isWritable(carriage, copies)) return "left";
      const isWritten = await guard.write(() => this.put(id, missing, to, "POST"));
      if (isWritten !== true) return isWritten === undefined ? "left" : "failed";
      observer.familiesCarried(missing.length);
      return "done";
    } catch (error) {
      observer.cleanUpFailed();
      log.debug("Cannot carry families over, will try again", { from: from.join(" "), to, err: error });
      return "failed";
    }
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

  /** Pushes families to a member. Whether it took them. */
  async put(id: GroupId, families: readonly ContentFamily[], to: string, method: "PUT" | "POST"): Promise<boolean> {
    const { clients, observer, log } = this.#context;
    const body = encodeGroupBody(families);
    const result = await putGroup(clients.get(to), keyOfGroupId(id), body, method, this.#requestOptions());
    if (result.ok) return true;
    observer.cleanUpFailed();
    log.warn("Cannot carry families over, so two copies of a group stay", { to, err: result.detail });
    return false;
  }

  /** Stores a whole group at a member that has none, with its push times where the member can. Whether it took it. */
  async store(id: GroupId, contents: GroupContents, to: string): Promise<boolean> {
    if (!(await this.knowsConditions(to))) return await this.put(id, contents.families, to, "PUT");
    const { clients, observer, log } = this.#context;
    const body = encodeGroupBody(contents.families);
    const client = clients.get(to);
    const result = await putGroupIfNotNewer(client, keyOfGroupId(id), body, contents, this.#requestOptions());
    if (result.ok) return true;
    observer.cleanUpFailed();
    log.warn("Cannot move a group", { to, err: result.detail });
    return false;
  }

  /** The families that the target lacks, or has from an earlier push. */
  async #missingAt({ id, to, returning }: Carriage, copies: readonly Copy[]): Promise<readonly ContentFamily[]> {
    const { clocks, directory, doubts, lister } = this.#context;
    const truth = directory.get(id)?.truth;
    const addresses = copies.map(({ address }) => address);
    if (copies.length > 1) await lister.measureClocks(addresses, AbortSignal.timeout(REQUEST_TIMEOUT_MS));
    const now = Date.now();
    const families = copies.flatMap(({ address, contents }) =>
      contents.families.map((family) => {
        const pushedAt = clocks.localTime(address, family.pushedAt, now);
        const mayBeGone = (pushedAt.seconds - pushedAt.uncertainty) * 1000 <= (returning.get(address) ?? 0);
        return { address, family, pushedAt, doubtedAt: doubts.about(id, address, pushedAt), mayBeGone };
      }),
    );
    const living = families.filter(
      ({ address, pushedAt, doubtedAt }) => address === to || !isReplaced(truth, address, pushedAt, doubtedAt),
    );
    return familiesToCarry(living, to);
  }

  #requestOptions() {
    return { utf8Names: this.#context.utf8Names(), timeoutMs: REQUEST_TIMEOUT_MS };
  }
}

/** Whether the group was replaced elsewhere, or deleted, after this was pushed for certain; what is in doubt was pushed before the doubt arose. */
function isReplaced(
  truth: Truth | undefined,
  address: string,
  pushedAt: LocalTime,
  doubtedAt: number | undefined,
): boolean {
  if (truth?.wholeAt === undefined || truth.address === address) return false;
  return (doubtedAt ?? (pushedAt.seconds + pushedAt.uncertainty) * 1000) < truth.wholeAt;
}
