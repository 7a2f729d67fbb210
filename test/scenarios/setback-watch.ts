import type { Copy } from "./copies.ts";
import { FAMILIES, type Family } from "./group-ledger.ts";

/** A newer copy went, and an older one stayed. */
export interface Setback {
  readonly key: string;
  readonly family: Family;
  readonly from: number;
  readonly to: number;
  /** On the monotonic clock. */
  readonly at: number;
}

/** The highest value that was seen of a family of a group, and where. */
interface Best {
  readonly value: number;
  readonly address: string;
  /** Looks in a row that found lower values only. */
  readonly missed: number;
}

/** All copies of a group at one look. */
export interface GroupLook {
  readonly key: string;
  readonly copies: readonly Copy[];
  /** Addresses of the members that answered. */
  readonly reached: ReadonlySet<string>;
  /** On the monotonic clock. */
  readonly at: number;
}

/**
 * Finds newer copies that went while older ones stayed, though later pushes hide it. Values of a family only ever grow, so whoever
 * has seen one within reach must not see lower ones only. One look may miss a copy on its way from a member that the look comes
 * to late to one that it has been to; two in a row do not.
 */
export class SetbackWatch {
  readonly setbacks: Setback[] = [];
  readonly #best = new Map<string, Best>();

  note({ key, copies, reached, at }: GroupLook): void {
    for (const family of FAMILIES) {
      const id = `${family} ${key}`;
      const before = this.#best.get(id);
      const now = bestOf(family, copies);
      if (now === undefined) continue;
      if (before === undefined || now.value >= before.value) {
        this.#best.set(id, now);
      } else if (reached.has(before.address)) {
        this.#best.set(id, before.missed === 0 ? { ...before, missed: 1 } : now);
        if (before.missed > 0) this.setbacks.push({ key, family, from: before.value, to: now.value, at });
      }
    }
  }
}

function bestOf(family: Family, copies: readonly Copy[]): Best | undefined {
  let best: Best | undefined;
  for (const { address, values } of copies) {
    const value = values[family];
    if (value !== undefined && value > (best?.value ?? 0)) best = { value, address, missed: 0 };
  }
  return best;
}
