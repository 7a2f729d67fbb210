import type { GroupingKey } from "../../src/sharding/grouping-key.ts";
import { startPushgatewayProcess } from "../../test/support/embedded-pushgateway.ts";
import { freePort } from "../../test/support/free-port.ts";
import { Owners } from "./owners.ts";
import { groupKey } from "./push-load.ts";

/**
 * Embedded Pushgateways with two addresses each. Which member owns a group depends on how members are called: groups that are at
 * home for a router that knows the first addresses are all misplaced for one that knows the second.
 */
export class DoubleMembers implements AsyncDisposable {
  /** Under which all groups are where they belong. */
  readonly addresses: readonly string[];
  /** Of the same members in the same order. Under these none is. */
  readonly aliases: readonly string[];
  readonly #processes: readonly AsyncDisposable[];

  private constructor(addresses: readonly string[], aliases: readonly string[], processes: readonly AsyncDisposable[]) {
    this.addresses = addresses;
    this.aliases = aliases;
    this.#processes = processes;
  }

  static async start(count: number): Promise<DoubleMembers> {
    const aliases = Array.from({ length: count }, () => `127.0.0.2:${freePort("127.0.0.2")}`);
    const processes = [];
    for (const alias of aliases) {
      processes.push(await startPushgatewayProcess([`--web.listen-address=${alias}`, "--log.level=error"]));
    }
    const addresses = processes.map(({ url }) => new URL(url).host);
    return new DoubleMembers(addresses, aliases, processes);
  }

  /** The first groups of which this holds: their owner's address, and their owner's when members are called by their aliases. */
  groups(count: number): readonly PlacedGroup[] {
    const home = new Owners(this.addresses);
    const alias = new Owners(this.aliases);
    const groups: PlacedGroup[] = [];
    for (let number = 0; groups.length < count; number++) {
      const key = groupKey(number);
      const group = { key, home: home.of(key), away: alias.of(key) };
      if (group.home !== group.away) groups.push(group);
    }
    return groups;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.#processes) await process[Symbol.asyncDispose]();
  }
}

/** A group and the positions of its owners. */
export interface PlacedGroup {
  readonly key: GroupingKey;
  /** Under the members' addresses. The group is there. */
  readonly home: number;
  /** Under their aliases: another member. */
  readonly away: number;
}
