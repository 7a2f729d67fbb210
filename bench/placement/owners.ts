import type { GroupingKey } from "../../src/sharding/grouping-key.ts";
import { HashRing } from "../../src/sharding/hash-ring.ts";

/** Says which of some members owns a group when all of them are in service. */
export class Owners {
  readonly #ring: HashRing;
  readonly #positions: readonly number[];
  readonly #all: Uint8Array;

  constructor(addresses: readonly string[]) {
    this.#ring = HashRing.build(addresses);
    this.#positions = this.#ring.members.map((member) => addresses.indexOf(member));
    this.#all = new Uint8Array(addresses.length).fill(1);
  }

  /** The position of its address among those that were given. */
  of({ canonicalPath }: GroupingKey): number {
    return this.#positions[this.#ring.ownerIndex(canonicalPath, this.#all)] as number;
  }
}
