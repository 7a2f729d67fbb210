import type { ByteString } from "../sharding/byte-string.ts";
import { unescapeQuoted } from "./text-labels.ts";
import { TextFormatError } from "./text-parser.ts";

/** Where the samples of one family stand in a text exposition. */
export interface FamilyRange {
  readonly name: ByteString;
  /** As it stands there, escapes included. */
  readonly help: ByteString | undefined;
  readonly type: ByteString;
  /** From the first sample to behind the last, comments in between included. */
  readonly start: number;
  readonly end: number;
}

const HASH = 0x23;
const HEADING = Buffer.from("\n# ");
const HEADING_LINE = /^# (HELP|TYPE) (?:"((?:[^"\\]|\\.)*)"|([^ \t"]+))(?:[ \t](.*))?$/s;

/**
 * The families of a text exposition in its order, without reading the samples: no line break stands within a sample, so that
 * headings can be searched for. A family whose samples stand in several places comes once for each.
 *
 * @throws TextFormatError for samples without a heading, which no Pushgateway writes.
 */
export function* familyRanges(bytes: Buffer): Generator<FamilyRange, undefined> {
  if (bytes.length > 0 && bytes[0] !== HASH) throw new TextFormatError("its metrics begin without HELP or TYPE");
  let family: Omit<FamilyRange, "end"> | undefined;
  for (const { keyword, name, rest, start, end } of headings(bytes)) {
    if (family?.name !== name || family.start !== start) {
      if (family !== undefined) yield { ...family, end: start };
      family = { name, help: undefined, type: "untyped", start: end };
    }
    family = keyword === "HELP" ? { ...family, help: rest, start: end } : { ...family, type: rest, start: end };
  }
  if (family !== undefined) yield { ...family, end: bytes.length };
  return undefined;
}

interface Heading {
  readonly keyword: string;
  readonly name: ByteString;
  readonly rest: ByteString;
  readonly start: number;
  /** Behind the end of the line. */
  readonly end: number;
}

function* headings(bytes: Buffer): Generator<Heading, undefined> {
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf("\n", start);
    const lineEnd = newline === -1 ? bytes.length : newline;
    const line = HEADING_LINE.exec(bytes.toString("latin1", start, lineEnd));
    if (line !== null) {
      const [, keyword = "", quoted = "", plain, rest = ""] = line;
      yield { keyword, name: plain ?? unescapeQuoted(quoted), rest, start, end: Math.min(lineEnd + 1, bytes.length) };
    }
    const next = bytes.indexOf(HEADING, lineEnd);
    start = next === -1 ? bytes.length : next + 1;
  }
  return undefined;
}
