/** What came of a run of tests. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** A line for each failure. */
  readonly failures: readonly string[];
}

export const EMPTY_TALLY: Tally = { passed: 0, failed: 0, skipped: 0, failures: [] };

export function addTallies(left: Tally, right: Tally): Tally {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
    failures: [...left.failures, ...right.failures],
  };
}

/** Counts the test cases of a report that `bun test --reporter=junit` wrote. Tests marked "todo" count as skipped. */
export function tallyOf(junitXml: string): Tally {
  let tally = EMPTY_TALLY;
  for (const [, attributes = "", content = ""] of junitXml.matchAll(
    /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    tally = addTallies(tally, tallyOfCase(attributes, content));
  }
  return tally;
}

function tallyOfCase(attributes: string, content: string): Tally {
  if (/<(failure|error)\b/.test(content)) {
    // Bun writes the describe blocks from the inside out.
    const blocks = attribute(attributes, "classname").split(" > ").reverse();
    const title = [...blocks, attribute(attributes, "name")].filter((name) => name !== "").join(" > ");
    return { ...EMPTY_TALLY, failed: 1, failures: [`${attribute(attributes, "file")}: ${title}`] };
  }
  if (/<skipped\b/.test(content)) return { ...EMPTY_TALLY, skipped: 1 };
  return { ...EMPTY_TALLY, passed: 1 };
}

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  return value
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#10;", " ")
    .replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}
