import type { Logger } from "../../log.ts";
import type { Federated } from "./federation.ts";
import type { FamilyPart, TypeClash } from "./shared-families.ts";

/** So many names are remembered as logged, and so many are logged for one scrape. */
const MAX_NAMES = 1_000;
const MAX_LINES = 10;

/** Logs what is wrong with scrapes: each member that is missing, until it answers again, and each name that clashes once. */
export class FederationLog {
  readonly #log: Logger;
  #missing: ReadonlySet<string> = new Set();
  readonly #clashing = new Set<string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  note({ texts, missing, clashes }: Federated): void {
    for (const { address, error } of missing) {
      if (this.#missing.has(address)) continue;
      this.#log.warn("Federating without the groups of a member", { member: address, err: error });
    }
    this.#missing = new Set(missing.map(({ address }) => address));
    const fresh = clashes.filter(({ name }) => !this.#clashing.has(name)).slice(0, MAX_LINES);
    for (const clash of fresh) {
      if (this.#clashing.size >= MAX_NAMES) return;
      this.#clashing.add(clash.name);
      this.#logClash(clash, (part) => texts[part.index]?.address);
    }
  }

  #logClash({ name, one, other }: TypeClash, addressOf: (part: FamilyPart) => string | undefined): void {
    this.#log.warn("Members have metrics of one name but several types, federating them untyped", {
      name: Buffer.from(name, "latin1").toString(),
      member: addressOf(one),
      type: `${one.range.type} ${one.range.name}`,
      other_member: addressOf(other),
      other_type: `${other.range.type} ${other.range.name}`,
    });
  }
}
