import type { FamilyRange } from "../../exposition/family-ranges.ts";
import type { SampleLine } from "../../exposition/sample-line.ts";
import type { Selector } from "../../matchers/selector.ts";
import type { GroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";
import type { AskedMember, MissingMember } from "../cluster/asked-members.ts";
import { groupsOfAmbiguousSeries, type SeriesId, seriesIdOfLine } from "./ambiguous-series.ts";
import { CopyFilter } from "./copy-filter.ts";
import { type FederatedText, type FederationRules, federateTexts } from "./federated-text.ts";
import { type CopyJudge, findLosingCopies, type MemberText } from "./group-copies.ts";
import { readSeriesOfGroups } from "./member-series.ts";
import { readMemberTexts } from "./member-texts.ts";
import type { ShownTimes } from "./shown-times.ts";

export interface FederationRequest {
  readonly members: readonly AskedMember[];
  /** Series that are wanted; all when empty. */
  readonly selectors: readonly Selector[];
  readonly utf8Names: boolean;
  readonly judge: CopyJudge;
  readonly shown: ShownTimes;
  /** How long a member is waited for that must be asked again, which of its groups a series belongs to. */
  readonly askAgainMs: number;
  readonly slices: WorkSlices;
  readonly signal: AbortSignal;
}

export interface Federated extends FederatedText {
  readonly texts: readonly MemberText[];
  readonly missing: readonly MissingMember[];
}

const JOB = Buffer.from("job");

/**
 * The metrics of all groups of all members, each group once, in the copy that counts. Series without a job are no group's, but
 * tell of the Pushgateway itself, and are left out. A member that does not answer costs its groups and nothing else.
 */
export async function federate(request: FederationRequest): Promise<Federated> {
  const { members, selectors, utf8Names, judge, shown, slices, signal } = request;
  const { texts, missing } = await readMemberTexts(members, slices, signal);
  const losing = await findLosingCopies(texts, judge, shown, slices);
  const tests = await Promise.all(texts.map((text, index) => createCopyTest(text, losing.get(index), request)));
  const unclear = tests.flatMap(({ missing }) => missing ?? []);
  const rules: FederationRules = {
    utf8Names,
    counts: (index, family, line) => line.hasLabel(JOB) && tests[index]?.counts(family, line) === true,
    isWanted: (line) => selectors.length === 0 || isSelected(selectors, line),
  };
  const federated = await federateTexts(texts, rules, slices);
  signal.throwIfAborted();
  return { ...federated, texts, missing: [...missing, ...unclear] };
}

function isSelected(selectors: readonly Selector[], line: SampleLine): boolean {
  const name = line.name();
  const labels = line.labels();
  const lookUp = (label: string) => {
    for (let i = 0; i < labels.length; i += 2) if (labels[i] === label) return labels[i + 1];
    return undefined;
  };
  return selectors.some(({ matches }) => matches(name, lookUp));
}

interface CopyTest {
  /** Whether a series of the text is of a copy that counts. */
  readonly counts: (family: FamilyRange, line: SampleLine) => boolean;
  /** Set when the member could not tell of some, which are left out. */
  readonly missing?: MissingMember;
}

async function createCopyTest(
  text: MemberText,
  losing: ReadonlySet<GroupId> | undefined,
  { askAgainMs, signal, slices }: FederationRequest,
): Promise<CopyTest> {
  if (losing === undefined) return { counts: () => true };
  const filter = await CopyFilter.of(text, losing, slices);
  const groups = await groupsOfAmbiguousSeries(text, filter, slices);
  const test = (counting: ReadonlySet<SeriesId>) => (family: FamilyRange, line: SampleLine) => {
    const verdict = filter.verdict(family.name, line);
    return verdict === "ambiguous" ? counting.has(seriesIdOfLine(family, line)) : verdict === "keep";
  };
  if (groups.size === 0) return { counts: test(new Set()) };
  try {
    return { counts: test(await readSeriesOfGroups(text.address, groups, { timeoutMs: askAgainMs, signal, slices })) };
  } catch (error) {
    // No series is shown on a guess: a stale one would look like news.
    return { counts: test(new Set()), missing: { address: text.address, error } };
  }
}
