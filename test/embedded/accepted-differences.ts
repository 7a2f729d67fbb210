/** What one request came to. */
export interface Outcome {
  /** Or `none` when the connection closed without an answer. */
  readonly status: number | "none";
  readonly text: string;
}

/** One request to a real Pushgateway and to ours. */
export interface Comparison {
  readonly version: "1.5.1" | "1.11.0";
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  /** The body, if it is text. */
  readonly text: string;
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
 * Every way in which the embedded Pushgateway answers a request otherwise than real ones, with the reason. Pushes that poison
 * or end real ones are in poison.test.ts, requests that are no clear HTTP in wire.test.ts; what is exposed differently is said
 * in src/embedded.
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
  {
    what: "A body in snappy is decoded; 1.5.1 reads it as text",
    why: "Pushgateway decodes snappy since 1.6.0",
    explains: ({ version, headers }) => version === "1.5.1" && hasHeader(headers, /^Content-Encoding: snappy/),
  },
  {
    what: "Of several faults of a body with a Content-Encoding, the encoding's comes first, in words that are not always Go's",
    why: "real ones parse while they decode; and zlib finds faults in another order than Go",
    explains: ({ headers, theirs, ours }) =>
      hasHeader(headers, /^Content-Encoding: (?:gzip|snappy)/) && ours.status === 400 && theirs.status === 400,
  },
  {
    what: "A body whose gzip is cut off at the end, or goes on with something else, is refused; 1.5.1 takes it",
    why: "1.11.0 refuses it, and a body that is not whole may be the half of a push",
    explains: ({ version, headers, theirs, ours }) =>
      version === "1.5.1" && hasHeader(headers, /gzip/) && theirs.status === 200 && ours.status === 400,
  },
  {
    what: "A DELETE that announces gzip is a DELETE; real ones refuse it, as its body is none",
    why: "nobody reads that body",
    explains: ({ method, headers, theirs, ours }) =>
      method === "DELETE" && hasHeader(headers, /gzip/) && theirs.status === 400 && ours.status === 202,
  },
  {
    what: "Reasons why bytes are no protobuf are worded otherwise",
    why: "Go varies the blanks in them, and the two versions have different words",
    explains: ({ headers, theirs, ours }) => isProtobuf(headers) && theirs.status === 400 && ours.status === 400,
  },
  {
    what: "A body in protobuf that ends within the length of a message is refused; real ones take what stands before",
    why: "it is cut off",
    explains: ({ headers, ours }) => isProtobuf(headers) && ours.text === "unexpected EOF\n",
  },
  {
    what: "A metric without a name, or with one that is not UTF-8, is refused; real ones take it",
    why: "nobody can read the exposition that shows it",
    explains: ({ ours }) => ours.text === `${REJECTED}MetricFamily has no valid name\n`,
  },
  {
    what: "A metric whose value is not of the type that its family says is refused; real ones take it now and then",
    why: "of the types that groups give a family they go by that of a random group",
    explains: ({ headers, theirs, ours }) =>
      isProtobuf(headers) && theirs.status === 200 && isInconsistency(ours) && / is not a [A-Z_]+$/m.test(ours.text),
  },
  {
    what: "A path whose job@base64 is in capital letters is redirected; real ones do not always find it",
    why: "their search loses its way at some paths, and finds others that are no different",
    explains: ({ target, theirs, ours }) =>
      /job(?:@|%40)base64/i.test(target) && theirs.status === 404 && ours.status === 307,
  },
  {
    what: "What is no HTTP is refused with a reason; real ones say Bad Request",
    why: "the reason helps",
    explains: ({ theirs, ours }) =>
      theirs.text === "400 Bad Request" && ours.status === 400 && ours.text.startsWith("Malformed HTTP"),
  },
];

export const REJECTED = "pushed metrics are invalid or inconsistent with existing metrics: ";

function hasHeader(headers: readonly string[], pattern: RegExp): boolean {
  return headers.some((line) => pattern.test(line));
}

function isProtobuf(headers: readonly string[]): boolean {
  return hasHeader(headers, /^Content-Type: application\/vnd\.google\.protobuf.*delimited/i);
}

function isInconsistency({ text }: Outcome): boolean {
  return text.startsWith(REJECTED);
}

/** Whether the line at which one of both stopped is such a line; where none names a line, whether there is such a line. */
function someLine({ text: body, theirs, ours }: Comparison, pattern: RegExp): boolean {
  const lines = body.split("\n");
  const numbers = [theirs, ours].flatMap(({ text }) => LINE_OF_ERROR.exec(text)?.[1] ?? []);
  const suspects = numbers.length === 0 ? lines : numbers.map((number) => lines[Number(number) - 1] ?? "");
  return suspects.some((line) => pattern.test(line));
}
