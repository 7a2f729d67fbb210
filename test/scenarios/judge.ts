import type { Copy } from "./copies.ts";
import { type Attempt, type Expectation, expectationsOf, FAMILIES, type Family, type Held } from "./group-ledger.ts";

/**
 * What is wrong with a group:
 * doubled: more than one member has a copy; lost: something acknowledged is not there; older: it is there as it was before;
 * returned: something deleted or replaced is there again; strange: a value is there that cannot be.
 */
export type Fault = "doubled" | "lost" | "older" | "returned" | "strange";
export const FAULTS: readonly Fault[] = ["doubled", "lost", "older", "returned", "strange"];

export interface Finding {
  readonly fault: Fault;
  /** Undefined where it is about the group as a whole. */
  readonly family: Family | undefined;
  readonly expectation: Expectation | undefined;
}

/** What is wrong with the copies of a group, given what its client was told. */
export function judgeGroup(attempts: readonly Attempt[], copies: readonly Copy[]): readonly Finding[] {
  if (copies.length > 1) return [{ fault: "doubled", family: undefined, expectation: undefined }];
  const expectations = expectationsOf(attempts);
  const [copy] = copies;
  if (copy !== undefined && FAMILIES.every((family) => isGone(expectations[family]))) {
    const [family] = FAMILIES;
    return [{ fault: "returned", family: undefined, expectation: expectations[family] }];
  }
  return FAMILIES.flatMap((family) => {
    const expectation = expectations[family];
    const fault = judgeValue(expectation, copy?.values[family]);
    return fault === undefined ? [] : [{ fault, family, expectation }];
  });
}

function isGone({ possible }: Expectation): boolean {
  return possible.every((held) => held === undefined);
}

function judgeValue({ possible }: Expectation, held: Held): Fault | undefined {
  if (possible.includes(held)) return undefined;
  if (held === undefined) return "lost";
  const values = possible.filter((value) => value !== undefined);
  if (values.length === 0) return "returned";
  return held < Math.min(...values) ? "older" : "strange";
}
