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
import type { ClusterLister } from "./cluster-lister.ts";
import type { Directory } from "./directory.ts";
import type { GroupReader } from "./group-reader.ts";
import type { LocalTime, MemberClocks } from "./member-clocks.ts";
import type { PlacementObserver, RemovalReason } from "./placement-surroundings.ts";

export interface CleanUpContext {
  readonly clients: PushgatewayClients;
  readonly directory: Directory;
  readonly clocks: MemberClocks;
  readonly reader: GroupReader;
  readonly lister: ClusterLister;
  readonly features: FeatureDetection;
  readonly utf8Names: () => boolean;
  readonly observer: PlacementObserver;
  readonly log: Logger;
}

/** `done`: the copy is not needed any more. `left`: it is, for now. `failed`: as it is, and a member did not do its part. */
export type CarryOutcome = "done" | "left" | "failed";

/** For whoever waits for a carrying, and may go on without it as long as nothing has been written. */
export class CarryGuard {
  readonly #cancelled = Promise.withResolvers<void>();
  #state: "looking" | "writing" | "cancelled" = "looking";

  get whenCancelled(): Promise<void> {
    return this.#cancelled.promise;
  }

  /** Nothing will be written from now on. False: it is too late, the writing has to be waited for. */
  cancel(): boolean {
    if (this.#state === "writing") return false;
    this.#state = "cancelled";
    this.#cancelled.resolve();
    return true;
  }

  /** Whether writing is still wanted. */
  beginWriting(): boolean {
    if (this.#state !== "cancelled") this.#state = "writing";
    return this.#state === "writing";
  }
}

/** A copy to carry from. */
interface Source {
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
   * Gives `to` the families of the copies on `from` that it lacks or has from an earlier push. It must not be pushed to meanwhile: what
   * came between the look and the step would be overwritten. `quietS`: how long nobody must have pushed to it. Ends at once when it
   * is cancelled.
   *
   * All copies are to be named at once: what is carried looks newly pushed, and nothing older could be told from it afterwards.
   */
  async carry(
    id: GroupId,
    from: readonly string[],
    to: string,
    quietS: number,
    guard: CarryGuard = new CarryGuard(),
  ): Promise<CarryOutcome> {
    const cancelled = guard.whenCancelled.then((): CarryOutcome => "left");
    return await Promise.race([this.#carry(id, from, to, quietS, guard), cancelled]);
  }

  async #carry(
    id: GroupId,
    from: readonly string[],
    to: string,
    quietS: number,
    guard: CarryGuard,
  ): Promise<CarryOutcome> {
    const { reader, lister, log, observer, clocks } = this.#context;
    try {
      const [target, ...copies] = await Promise.all([to, ...from].map((address) => reader.read(address, id)));
      const sources = from.flatMap((address, index) => {
        const contents = copies[index];
        return contents === undefined ? [] : [{ address, contents }];
      });
      if (sources.length === 0) return "done";
      if (target !== undefined || sources.length > 1) {
        await lister.measureClocks([to, ...from], AbortSignal.timeout(REQUEST_TIMEOUT_MS));
      }
      const missing = this.#newestOf(id, sources, to, target);
      if (missing.length === 0) return "done";
      const pushedAt = clocks.localTime(to, target?.pushTime ?? 0, Date.now()).seconds;
      if (Date.now() / 1000 - pushedAt < quietS) return "left";
      if (sources.some(({ contents }) => contents.incomplete)) {
        log.warn("Cannot carry native histograms over, so several copies of a group stay", {
          from: from.join(" "),
          to,
        });
        return "left";
      }
      if (!guard.beginWriting()) return "left";
      if (!(await this.put(id, missing, to, "POST"))) return "failed";
      observer.familiesCarried(missing.length);
      return "done";
    } catch (error) {
      observer.cleanUpFailed();
      log.debug("Cannot carry families over, will try again", { from: from.join(" "), to, err: error });
      return "failed";
    }
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

  /** The newest of each family, where the target does not have it as new. */
  #newestOf(
    id: GroupId,
    sources: readonly Source[],
    to: string,
    target: GroupContents | undefined,
  ): readonly ContentFamily[] {
    const newest = new Map<string, { readonly family: ContentFamily; readonly at: LocalTime }>();
    const now = Date.now();
    const timed = (address: string, family: ContentFamily) => ({
      family,
      at: this.#context.clocks.localTime(address, family.pushedAt, now),
    });
    const own = new Map(target?.families.map((family) => [family.name, timed(to, family).at]));
    for (const { address, contents } of sources) {
      const doubtedAt = this.#doubtAbout(id, address);
      for (const candidate of contents.families.map((family) => timed(address, family))) {
        // What a push that was given up brought once its member thawed is older than it looks.
        if ((candidate.at.seconds + candidate.at.uncertainty) * 1000 >= doubtedAt) continue;
        const { name } = candidate.family;
        const known = newest.get(name);
        if (isNewer(candidate.at, own.get(name)) && (known === undefined || candidate.at.seconds > known.at.seconds)) {
          newest.set(name, candidate);
        }
      }
    }
    return [...newest.values()].map(({ family }) => family);
  }

  /** Since when a push to the member is in doubt; Infinity: none is. */
  #doubtAbout(id: GroupId, address: string): number {
    const holders = this.#context.directory.get(id)?.holders ?? [];
    return holders.find((holder) => holder.address === address)?.doubtedAt ?? Number.POSITIVE_INFINITY;
  }

  #requestOptions() {
    return { utf8Names: this.#context.utf8Names(), timeoutMs: REQUEST_TIMEOUT_MS };
  }
}

/** For certain. */
function isNewer(time: LocalTime, other: LocalTime | undefined): boolean {
  return other === undefined || time.seconds - other.seconds > time.uncertainty + other.uncertainty;
}
