/** The families that clients of the scenarios push. PUT and POST take turns with them, so that a family that is carried over shows. */
export const FAMILIES = ["scenario_even", "scenario_odd"] as const;
export type Family = (typeof FAMILIES)[number];

/** A family's value in a group; undefined: the group does not have it. */
export type Held = number | undefined;

/** One request of a client. */
export interface Attempt {
  readonly method: "PUT" | "POST" | "DELETE";
  /** The family that the body sets; of no meaning for DELETE. */
  readonly family: Family;
  /** Greater than in every request before, also for DELETE. */
  readonly value: number;
  /** Address of the router asked. */
  readonly router: string;
  /** On the monotonic clock. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Why the client does not know whether the request took effect. Undefined: it was answered 2xx. */
  readonly failure: string | undefined;
}

/** What clients were told about one family of a group. */
export interface Expectation {
  /** The last acknowledged value, then those of later requests whose end nobody knows. */
  readonly possible: readonly Held[];
  /** The last request that was acknowledged and had to do with the family. */
  readonly acknowledged: Attempt | undefined;
}

export type Expectations = Readonly<Record<Family, Expectation>>;

/**
 * What a group may hold after these requests. The client sends one at a time and waits until it knows, or gives up, so an
 * acknowledged request outdates everything before it; one without an answer may have taken effect or not.
 */
export function expectationsOf(attempts: readonly Attempt[]): Expectations {
  const found = Object.fromEntries(FAMILIES.map((family) => [family, NOTHING_YET])) as Record<Family, Expectation>;
  for (const attempt of attempts) {
    for (const family of FAMILIES) {
      const effect = effectOn(family, attempt);
      if (effect === "none") continue;
      const { possible, acknowledged } = found[family];
      found[family] =
        attempt.failure === undefined
          ? { possible: [effect.held], acknowledged: attempt }
          : { possible: [...possible, effect.held], acknowledged };
    }
  }
  return found;
}

const NOTHING_YET: Expectation = { possible: [undefined], acknowledged: undefined };

/** What the group has of the family after the request, if that has to do with it. */
export function effectOn(family: Family, attempt: Attempt): "none" | { readonly held: Held } {
  if (attempt.method === "DELETE") return { held: undefined };
  if (attempt.family === family) return { held: attempt.value };
  return attempt.method === "PUT" ? { held: undefined } : "none";
}
