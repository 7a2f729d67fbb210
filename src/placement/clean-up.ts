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
import type { Directory } from "./directory.ts";
import type { PlacementObserver, RemovalReason } from "./placement-surroundings.ts";

export interface CleanUpContext {
  readonly clients: PushgatewayClients;
  readonly directory: Directory;
  readonly features: FeatureDetection;
  readonly utf8Names: () => boolean;
  readonly observer: PlacementObserver;
  readonly log: Logger;
}

/** When a member that was asked to delete or to take families is given up. It is asked again later. */
const REQUEST_TIMEOUT_MS = 3_000;
/** Clients wait for what is done behind their pushes; who is slow to say what it can do is taken for a stock Pushgateway. */
const DETECTION_TIMEOUT_MS = 300;

/** Deletes and stores copies. Whoever has it do so sees to it that no push is between. */
export class CleanUp {
  readonly #context: CleanUpContext;

  constructor(context: CleanUpContext) {
    this.#context = context;
  }

  /**
   * Deletes a copy. `seenPushTime`: the copy that was seen, by the member's clock; a member that can spares a newer one. `signal`: gives
   * it up as long as it waits for a connection. False: the member did not do it, and may still have the copy.
   */
  async remove(
    id: GroupId,
    address: string,
    reason: RemovalReason,
    seenPushTime: number,
    signal?: AbortSignal,
  ): Promise<boolean> {
    const { directory, observer, log } = this.#context;
    const result = await this.#delete(id, address, seenPushTime, signal);
    if (!result.ok) {
      observer.cleanUpFailed();
      log.debug("Cannot delete a copy, will try again", { member: address, err: result.detail });
      return false;
    }
    directory.forget(id, address);
    observer.copyRemoved(reason);
    return true;
  }

  async #delete(
    id: GroupId,
    address: string,
    seenPushTime: number,
    signal: AbortSignal | undefined,
  ): Promise<GroupRequestResult> {
    const isConditional = await this.knowsConditions(address);
    const client = this.#context.clients.get(address);
    const key = keyOfGroupId(id);
    const options = { ...this.#requestOptions(), signal };
    return isConditional
      ? await deleteGroupIfNotNewer(client, key, seenPushTime, options)
      : await deleteGroup(client, key, options);
  }

  /** Whether the member is a Pushgateway of ours, which deletes and stores on condition. */
  async knowsConditions(address: string): Promise<boolean> {
    const options = { timeoutMs: DETECTION_TIMEOUT_MS };
    return await this.#context.features.speaksGroupsApi(address, options).catch(() => false);
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

  #requestOptions() {
    return { utf8Names: this.#context.utf8Names(), timeoutMs: REQUEST_TIMEOUT_MS };
  }
}
