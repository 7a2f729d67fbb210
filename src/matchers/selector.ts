import type { ByteString } from "../sharding/byte-string.ts";
import { type Matcher, METRIC_NAME, matchesValue } from "./matcher.ts";
import { readMatchers } from "./read-matchers.ts";
import { SelectorError } from "./selector-error.ts";

/** Longer texts are refused unread. */
const MAX_LENGTH = 16_384;

/** The value of a label; undefined when there is none, which is the same as an empty one. */
type LabelLookup = (name: ByteString) => ByteString | undefined;

/** A series selector of PromQL, such as `up{job=~"spark-.*"}`. It may match series as well as groups, which have no name. */
export interface Selector {
  /** As it was written. */
  readonly text: string;
  /** Names and values are byte strings, as everything that came off a socket. */
  readonly matches: (name: ByteString | undefined, labels: LabelLookup) => boolean;
}

/**
 * Reads what Prometheus takes for a `match[]`: a selector without range, offset, function or operator, in which at least one
 * matcher does not match the empty string, so that nothing is selected by mistake. Throws a SelectorError.
 */
export function parseSelector(text: string): Selector {
  return selectorOf(text, readSafeMatchers(text));
}

/** The same for groups, which have no name: a selector that asks for one is a mistake. Throws a SelectorError. */
export function parseGroupSelector(text: string): Selector {
  const matchers = readSafeMatchers(text);
  if (matchers.some(({ name }) => name === METRIC_NAME)) {
    throw new SelectorError(
      text,
      0,
      'expected labels of groups such as {job="a"}, got a metric name, which groups do not have',
    );
  }
  return selectorOf(text, matchers);
}

function readSafeMatchers(text: string): readonly Matcher[] {
  if (text.length > MAX_LENGTH) {
    throw new SelectorError(text, MAX_LENGTH, `expected at most ${MAX_LENGTH} characters, got ${text.length}`);
  }
  const matchers = readMatchers(text);
  if (matchers.every((matcher) => matchesValue(matcher, ""))) {
    const expected = "expected at least one matcher that does not match the empty string";
    throw new SelectorError(text, 0, `${expected}, such as job="a" or job=~".+"`);
  }
  return matchers;
}

function selectorOf(text: string, matchers: readonly Matcher[]): Selector {
  return { text, matches: (name, labels) => matchers.every((matcher) => matchesSeries(matcher, name, labels)) };
}

function matchesSeries(matcher: Matcher, name: ByteString | undefined, labels: LabelLookup): boolean {
  return matchesValue(matcher, (matcher.name === METRIC_NAME ? name : labels(matcher.name)) ?? "");
}
