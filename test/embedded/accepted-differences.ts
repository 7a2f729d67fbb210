/** What one request came to. */
export interface Outcome {
  /** Or `none` when the connection closed without an answer. */
  readonly status: number | "none";
  readonly text: string;
}

/** One push at a real Pushgateway and at ours. */
export interface Comparison {
  readonly version: "1.5.1" | "1.11.0";
  readonly body: string;
  readonly theirs: Outcome;
  readonly ours: Outcome;
}

export interface AcceptedDifference {
  readonly what: string;
  readonly why: string;
  /** Whether this is the reason why two outcomes differ. */
  readonly explains: (comparison: Comparison) => boolean;
}

const LINE_OF_ERROR = /^text format parsing error in line (\d+): /;
const BRACE_FIRST = /^[ \t]*\{/;
/** A quote where it opens no label value. */
const QUOTE_IN_NAME = /(?:^|[^=\s])[ \t]*"/;
const QUOTE_IN_HELP = /^[ \t]*#[ \t]*HELP.*\\"/;

/**
 * Every way in which the embedded Pushgateway answers a push otherwise than real ones, with the reason. The poison pill, which
 * has no counterpart here, is in consistency.test.ts; what is exposed differently is said in src/embedded.
 */
export const ACCEPTED_DIFFERENCES: readonly AcceptedDifference[] = [
  {
    what: "A push that is inconsistent gets its 400; 1.11.0 closes the connection",
    why: "it is a fault of 1.11.0, which clients take for a network error",
    explains: ({ version, theirs, ours }) =>
      version === "1.11.0" && theirs.status === "none" && ours.status === 400 && isInconsistency(ours),
  },
  {
    what: "Reasons why a push is inconsistent are worded otherwise",
    why: "Go varies the blanks in them and the order, which depends on the order of a hash map; and it lists them without bound",
    explains: ({ theirs, ours }) =>
      theirs.status === 400 && ours.status === 400 && isInconsistency(theirs) && isInconsistency(ours),
  },
  {
    what: "A line that begins with a brace must name its metric in the braces; 1.11.0 closes the connection, or adds to the line before",
    why: "it is a crash there, or a sample in a family that the line does not name",
    explains: (comparison) => comparison.ours.status === 400 && someLine(comparison, BRACE_FIRST),
  },
  {
    what: "Names in quotes, as Prometheus 3 has them, are read; 1.5.1 refuses them",
    why: "1.11.0 reads them",
    explains: (comparison) =>
      comparison.version === "1.5.1" && comparison.theirs.status === 400 && someLine(comparison, QUOTE_IN_NAME),
  },
  {
    what: "A quote in the middle of a name is an error; 1.11.0 reads on, or finds another error",
    why: 'there, such a quote opens or ends a quotation, so that x"" is x: nobody means that',
    explains: (comparison) => comparison.ours.status === 400 && someLine(comparison, QUOTE_IN_NAME),
  },
  {
    what: "An escaped quote in HELP is read; 1.5.1 refuses it",
    why: "1.11.0 reads it",
    explains: (comparison) =>
      comparison.version === "1.5.1" && comparison.theirs.status === 400 && someLine(comparison, QUOTE_IN_HELP),
  },
];

export const REJECTED = "pushed metrics are invalid or inconsistent with existing metrics: ";

function isInconsistency({ text }: Outcome): boolean {
  return text.startsWith(REJECTED);
}

/** Whether the line at which one of both stopped is such a line; where none names a line, whether there is such a line. */
function someLine({ body, theirs, ours }: Comparison, pattern: RegExp): boolean {
  const lines = body.split("\n");
  const numbers = [theirs, ours].flatMap(({ text }) => LINE_OF_ERROR.exec(text)?.[1] ?? []);
  const suspects = numbers.length === 0 ? lines : numbers.map((number) => lines[Number(number) - 1] ?? "");
  return suspects.some((line) => pattern.test(line));
}
