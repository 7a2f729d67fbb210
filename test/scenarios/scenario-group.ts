import { labelsKey } from "./copies.ts";
import { type Attempt, FAMILIES, type Family } from "./group-ledger.ts";

/** PUT, POST, or PUT and POST in turns. */
type Style = "put" | "post" | "mixed";
const STYLES: readonly Style[] = ["put", "post", "mixed"];

/** How often a group is pushed. A quiet one is not pushed any more once the scenario begins. */
export type Pace = "eager" | "busy" | "slow" | "quiet";

/** One group of a scenario, and what its client was told. */
export interface ScenarioGroup {
  readonly pace: Pace;
  readonly style: Style;
  /** Whether it is deleted now and then. */
  readonly isDeleted: boolean;
  /** Of the instance label. */
  readonly name: string;
  /** As `labelsKey` writes them. */
  readonly key: string;
  /** A push path, with the labels in this order or that. */
  readonly path: (reversed: boolean) => string;
  /** Those that are over. */
  readonly attempts: Attempt[];
  /** All, also the one that is under way. */
  readonly begun: Request[];
}

export type Request = Pick<Attempt, "method" | "family" | "value">;

/** In a group that is deleted now and then, one request in so many is the DELETE. */
const DELETE_EVERY = 6;

/** The groups of a scenario: every style at every pace, some of them with values that need base64. */
export function scenarioGroups(counts: Readonly<Record<Pace, number>>): readonly ScenarioGroup[] {
  const paces = Object.entries(counts).flatMap(([pace, count]) => Array.from({ length: count }, () => pace as Pace));
  return paces.map((pace, index) => scenarioGroup(index, pace));
}

function scenarioGroup(index: number, pace: Pace): ScenarioGroup {
  const name = `${pace}-${index}`;
  const hasPath = index % 10 === 9;
  const zone = `z${index % 3}`;
  const segments = [`instance/${name}`, `zone/${zone}`, ...(hasPath ? ["path@base64/L3Zhci9saWI"] : [])];
  const labels = { job: "scenario", instance: name, zone, ...(hasPath && { path: "/var/lib" }) };
  return {
    pace,
    style: STYLES[index % STYLES.length] ?? "put",
    isDeleted: index % 5 === 4,
    name,
    key: labelsKey(labels),
    path: (reversed) => `/metrics/job/scenario/${(reversed ? segments.toReversed() : segments).join("/")}`,
    attempts: [],
    begun: [],
  };
}

/** What the group's client does next. Values count its requests. */
export function nextRequest({ style, isDeleted, attempts }: ScenarioGroup): Request {
  const value = attempts.length + 1;
  const family: Family = FAMILIES[value % 2] ?? FAMILIES[0];
  if (isDeleted && value % DELETE_EVERY === 0) return { method: "DELETE", family, value };
  // Both families are pushed by both methods, since two and three have no common factor.
  const isPost = style === "post" || (style === "mixed" && value % 3 !== 0);
  return { method: isPost ? "POST" : "PUT", family, value };
}
