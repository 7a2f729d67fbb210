import type { Copy } from "./copies.ts";
import { FAMILIES, type Family } from "./group-ledger.ts";
import type { ScenarioGroup } from "./scenario-group.ts";

/** Something that a later push may hide, but that nobody should have seen. */
export interface Setback {
  /** older: a newer copy went, and an older one stayed. returned: what was deleted or replaced is there beside newer families. */
  readonly fault: "older" | "returned";
  readonly group: ScenarioGroup;
  readonly family: Family;
  /** The value that was there before, or the one of the request that ended the lower one. */
  readonly from: number;
  readonly to: number;
  /** On the monotonic clock. */
  readonly at: number;
}

/** All copies of a group at one look. */
export interface GroupLook {
  readonly group: ScenarioGroup;
  readonly copies: readonly Copy[];
  /** Addresses of the members that answered. */
  readonly reached: ReadonlySet<string>;
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

/** Watches the copies on their way. Values of a family only ever grow, so whoever has seen one within reach must not see lower ones only. */
export class SetbackWatch {
  readonly setbacks: Setback[] = [];
  readonly #best = new Map<string, Best>();

  note(look: GroupLook): void {
    for (const family of FAMILIES) this.#compare(look, family);
    for (const copy of look.copies) this.#findReturned(look, copy);
  }

  /** One look may miss a copy on its way from a member that it comes to late to one that it has been to; two in a row do not. */
  #compare({ group, copies, reached, at }: GroupLook, family: Family): void {
    const id = `${family} ${group.key}`;
    const before = this.#best.get(id);
    const now = bestOf(family, copies);
    if (now === undefined) return;
    const isSetback = before !== undefined && now.value < before.value && !wasEnded(group, family, before.value);
    if (!isSetback) this.#best.set(id, now);
    else if (!reached.has(before.address)) return;
    else if (before.missed === 0) this.#best.set(id, { ...before, missed: 1 });
    else {
      this.#best.set(id, now);
      this.setbacks.push({ fault: "older", group, family, from: before.value, to: now.value, at });
    }
  }

  #findReturned({ group, at }: GroupLook, { values }: Copy): void {
    const newest = Math.max(0, ...Object.values(values));
    const end = group.attempts.findLast(
      ({ method, value, failure }) => method !== "POST" && failure === undefined && value <= newest,
    );
    for (const family of FAMILIES) {
      const held = values[family];
      if (held === undefined || end === undefined || held >= end.value) continue;
      this.setbacks.push({ fault: "returned", group, family, from: end.value, to: held, at });
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

/** Whether a request may have ended this value without a higher one. */
function wasEnded({ begun }: ScenarioGroup, family: Family, value: number): boolean {
  return begun.some(
    (request) =>
      request.value > value && (request.method === "DELETE" || (request.method === "PUT" && request.family !== family)),
  );
}
