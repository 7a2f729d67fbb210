import type { MetricType, StoredFamily, StoredMetric } from "../exposition/model.ts";
import { isLegacyLabelName } from "../exposition/text-labels.ts";
import { type ByteString, decodeUtf8, isValidUtf8 } from "../sharding/byte-string.ts";
import { goQuote } from "../sharding/go-quote.ts";
import { describeMetric } from "./describe-metric.ts";
import type { FamilyIndex } from "./family-index.ts";
import { findFamily } from "./store-families.ts";

/** How many reasons for one refusal are listed. A body of many series can have as many. */
const MAX_PROBLEMS = 10;

/** A change of one group that wants to be checked. */
export interface ProposedChange {
  readonly id: string;
  /** The families of the push, sorted by name. */
  readonly pushed: readonly StoredFamily[];
  /** All that the group will hold after the push, sorted by name. */
  readonly after: readonly StoredFamily[];
}

/**
 * What would make the store inconsistent, in the words of Pushgateway's check (client_golang's `Gatherers.Gather`); empty for
 * a push that may be stored. The work is in proportion to the push, and to nothing else. What is stored must be consistent.
 *
 * Differences in HELP and in the layout of buckets are no inconsistency there, so they are none here.
 */
export function findInconsistencies(change: ProposedChange, index: FamilyIndex, utf8Names: boolean): readonly string[] {
  const problems: string[] = [];
  for (const family of change.pushed) {
    const problem = typeProblem(family, change, index) ?? suffixProblem(family, change, index);
    if (problem === undefined) addSeriesProblems(problems, family, change.id, index, utf8Names);
    else problems.push(problem);
    if (problems.length >= MAX_PROBLEMS) return problems.slice(0, MAX_PROBLEMS);
  }
  return problems;
}

/** Several problems as client_golang's MultiError puts them together. */
export function joinProblems(problems: readonly string[]): string {
  const [first = ""] = problems;
  if (problems.length < 2) return first;
  return `${problems.length} error(s) occurred:${problems.map((problem) => `\n* ${problem}`).join("")}`;
}

function typeProblem(family: StoredFamily, change: ProposedChange, index: FamilyIndex): string | undefined {
  if (index.get(family.name)?.type === family.type) return undefined;
  const held = typeElsewhere(family.name, change.id, index);
  if (held === undefined) return undefined;
  if (index.get(family.name)?.own !== undefined) {
    return `gathered metric family ${decodeUtf8(family.name)} has type ${family.type.toUpperCase()} but should have ${held.toUpperCase()}`;
  }
  return notA(family, family.metrics[0] as StoredMetric, held);
}

/** The type of a family as others than this group hold it. */
function typeElsewhere(name: ByteString, id: string, index: FamilyIndex): MetricType | undefined {
  const entry = index.get(name);
  if (entry === undefined) return undefined;
  const isElsewhere = entry.own !== undefined || entry.holders.size > (entry.holders.has(id) ? 1 : 0);
  return isElsewhere ? entry.type : undefined;
}

/** A summary or histogram exposes names of its own, `x_sum` and so on, that must not be those of other families. */
function suffixProblem(family: StoredFamily, change: ProposedChange, index: FamilyIndex): string | undefined {
  const { name, type } = family;
  // Who was there under this name and type has been checked before, and whoever came since was checked against it.
  if (index.get(name)?.type === type) return undefined;
  const typeOf = (other: ByteString) => findFamily(change.after, other)?.type ?? typeElsewhere(other, change.id, index);
  for (const suffix of ["_count", "_sum", "_bucket"] as const) {
    if (isPartOf(suffix, type) && typeOf(name + suffix) !== undefined) {
      return `collected histogram or summary named ${goQuote(name)} collides with previously collected metric named ${goQuote(name + suffix)}`;
    }
    if (!name.endsWith(suffix)) continue;
    const base = name.slice(0, -suffix.length);
    const baseType = typeOf(base);
    if (base !== "" && baseType !== undefined && isPartOf(suffix, baseType)) {
      return `collected metric named ${goQuote(name)} collides with previously collected ${baseType} named ${goQuote(base)}`;
    }
  }
  return undefined;
}

function isPartOf(suffix: "_count" | "_sum" | "_bucket", type: MetricType): boolean {
  return type === "histogram" || (type === "summary" && suffix !== "_bucket");
}

function addSeriesProblems(
  problems: string[],
  family: StoredFamily,
  id: string,
  index: FamilyIndex,
  utf8Names: boolean,
): void {
  const holders = index.get(family.name)?.series;
  const seen = family.metrics.length > 1 ? new Set<ByteString>() : undefined;
  for (const metric of family.metrics) {
    const holder = holders?.get(metric.labelsText) ?? id;
    const isRepeated = holder !== id || seen?.has(metric.labelsText) === true;
    const problem = metricProblem(family, metric, utf8Names) ?? (isRepeated ? repeated(family, metric) : undefined);
    seen?.add(metric.labelsText);
    if (problem !== undefined) problems.push(problem);
    if (problems.length >= MAX_PROBLEMS) return;
  }
}

/** What is wrong with a metric wherever it is stored. */
function metricProblem(family: StoredFamily, metric: StoredMetric, utf8Names: boolean): string | undefined {
  if (metric.value === undefined) return notA(family, metric, family.type);
  const { labels } = metric;
  for (let i = 0; i < labels.length; i += 2) {
    const problem = labelProblem(
      labels[i] as ByteString,
      labels[i + 1] as ByteString,
      labels[i - 2],
      family.type,
      utf8Names,
    );
    if (problem !== undefined) return `${collected(family, metric)} ${problem}`;
  }
  return undefined;
}

function labelProblem(
  name: ByteString,
  value: ByteString,
  nameBefore: ByteString | undefined,
  type: MetricType,
  utf8Names: boolean,
): string | undefined {
  if (name === nameBefore) return `has two or more labels with the same name: ${decodeUtf8(name)}`;
  const isValidName = isLegacyLabelName(name) || (utf8Names && name !== "" && isValidUtf8(name));
  if (!isValidName || name.startsWith("__")) return `has a label with an invalid name: ${decodeUtf8(name)}`;
  if (type === "summary" && name === "quantile") return `must not have an explicit "quantile" label`;
  if (!isValidUtf8(value)) return `has a label named ${goQuote(name)} whose value is not utf8: ${goQuote(value)}`;
  return undefined;
}

function notA(family: StoredFamily, metric: StoredMetric, type: MetricType): string {
  return `${collected(family, metric)} is not a ${type.toUpperCase()}`;
}

function repeated(family: StoredFamily, metric: StoredMetric): string {
  return `${collected(family, metric)} was collected before with the same name and label values`;
}

function collected(family: StoredFamily, metric: StoredMetric): string {
  return `collected metric ${goQuote(family.name)} { ${describeMetric(family.type, metric)}}`;
}
