import { type ByteString, encodeCodePoint, isValidUtf8 } from "../sharding/byte-string.ts";
import { goQuote } from "../sharding/go-quote.ts";
import { FamilyBuilder } from "./family-builder.ts";
import { parseGoFloat } from "./go-float.ts";
import type { MetricFamily, MetricType } from "./model.ts";

/** A body that is not in the text format. The message is Pushgateway's own. */
export class TextFormatError extends Error {
  override readonly name = "TextFormatError";
}

const TAB = 0x09;
const NEWLINE = 0x0a;
const BLANK = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const COMMA = 0x2c;
const ZERO = 0x30;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const LETTER_N = 0x6e;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** For each byte, what it may be part of. A table, because names are most of a body. */
const LABEL_START = 1;
const LABEL_PART = 2;
const METRIC_START = 4;
const METRIC_PART = 8;
const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (/[a-zA-Z_]/.test(character)) return LABEL_START | LABEL_PART | METRIC_START | METRIC_PART;
  if (/[0-9]/.test(character)) return LABEL_PART | METRIC_PART;
  return character === ":" ? METRIC_START | METRIC_PART : 0;
});

const TYPES: ReadonlyMap<string, MetricType> = new Map(
  (["counter", "gauge", "summary", "untyped", "histogram", "gauge_histogram"] as const).map((type) => [type, type]),
);
/** Sign and digits of what may be an int64: BigInt takes seconds for a million digits. */
const SHORT_INTEGER = /^([+-]?)0*(?!0\d)(\d{1,19})$/;
const INT64_MAX = 2n ** 63n - 1n;

/**
 * Reads the text exposition format 0.0.4, and the quoted names of its version 1.0.0, as Pushgateway 1.11 does: what that
 * takes is taken with the same meaning, what it refuses is refused in its words. Families without samples are left out; the
 * others keep the order of the body. The time taken is linear in the length of the body.
 *
 * Where Pushgateway dies of a body (a brace at the start of a line without a name in the braces), this refuses it.
 *
 * @throws TextFormatError
 */
export function parseText(body: Uint8Array): MetricFamily[] {
  return new TextParser(body).parse();
}

class TextParser {
  readonly #buffer: Buffer;
  readonly #families = new Map<ByteString, FamilyBuilder>();
  /** Whose line was read last: mostly, the next one is its too. */
  #latest: FamilyBuilder | undefined;
  #position = 0;
  #line = 0;

  constructor(body: Uint8Array) {
    this.#buffer = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  }

  parse(): MetricFamily[] {
    for (;;) {
      this.#line++;
      this.#skipBlanks();
      if (this.#position >= this.#buffer.length) break;
      this.#readLine(this.#byte());
    }
    const families: MetricFamily[] = [];
    for (const builder of this.#families.values()) {
      if (builder.metricCount > 0) families.push(builder.build());
    }
    return families;
  }

  #readLine(first: number): void {
    if (first === NEWLINE) this.#position++;
    else if (first === HASH) this.#readComment();
    else if (first === OPEN_BRACE) this.#readSample(undefined);
    else this.#readSample(this.#readSampleName());
  }

  #readComment(): void {
    this.#position++;
    this.#skipBlanks();
    const keyword = this.#readUntilBlank();
    const isEndOfLine = this.#byte() === NEWLINE;
    if (isEndOfLine || (keyword !== "HELP" && keyword !== "TYPE")) {
      this.#skipLine();
      return;
    }
    this.#skipBlanks();
    const name = this.#readName(METRIC_START, METRIC_PART, "metric");
    const next = this.#byte();
    if (next !== NEWLINE && next !== BLANK && next !== TAB) this.#fail("invalid metric name in comment");
    if (next !== NEWLINE) this.#readMetadata(keyword, this.#familyOf(name));
    this.#position++;
  }

  /** Leaves the position at the end of the line. */
  #readMetadata(keyword: "HELP" | "TYPE", family: FamilyBuilder): void {
    this.#skipBlanks();
    if (this.#byte() === NEWLINE) return;
    if (keyword === "HELP") {
      if (family.help !== undefined) this.#fail(`second HELP line for metric name ${goQuote(family.name)}`);
      family.help = this.#readHelp();
      return;
    }
    if (family.type !== undefined) {
      this.#fail(`second TYPE line for metric name ${goQuote(family.name)}, or TYPE reported after samples`);
    }
    const spelled = this.#readRestOfLine();
    const type = TYPES.get(spelled) ?? TYPES.get(spelled.toLowerCase());
    if (type === undefined) this.#fail(`unknown metric type ${goQuote(spelled)}`);
    family.type = type;
  }

  #readSampleName(): ByteString {
    const name = this.#readName(METRIC_START, METRIC_PART, "metric");
    if (name === "") this.#fail("invalid metric name");
    return name;
  }

  /** A line with a value. Without a name, the braces must hold it. */
  #readSample(nameBefore: ByteString | undefined): void {
    let family: FamilyBuilder | undefined;
    if (nameBefore !== undefined) {
      family = this.#familyOf(nameBefore);
      family.beginSample(nameBefore);
      this.#skipBlanks();
    }
    if (this.#byte() === OPEN_BRACE) family = this.#readLabels(family);
    if (family === undefined) this.#fail("invalid metric name");
    const value = this.#readValue();
    const timestamp = this.#readTimestamp();
    if (!family.addSample(value, timestamp)) {
      throw new TextFormatError(`unexpected type for metric name ${goQuote(family.name)}`);
    }
  }

  /** What stands in braces, up to the value; returns the family, which a name in the braces decides. */
  #readLabels(outer: FamilyBuilder | undefined): FamilyBuilder | undefined {
    let family = outer;
    const early: ByteString[] = [];
    for (;;) {
      this.#position++;
      this.#skipBlanks();
      if (this.#byte() === CLOSE_BRACE) break;
      const name = this.#readLabelName(family);
      this.#skipBlanks();
      if (this.#byte() === EQUALS) this.#readLabel(family, name, early);
      else {
        if (outer !== undefined) this.#fail(`expected '=' after label name, found ${quoteByte(this.#byte())}`);
        family = this.#familyOf(name);
        family.beginSample(name);
      }
      const end = this.#byte();
      if (end === CLOSE_BRACE) break;
      if (end !== COMMA) this.#fail(`unexpected end of metric value ${quoteByte(end)}`);
    }
    for (let i = 0; i < early.length; i += 2) this.#addLabel(family, early[i] as string, early[i + 1] as string);
    this.#position++;
    this.#skipBlanks();
    return family;
  }

  #readLabelName(family: FamilyBuilder | undefined): ByteString {
    const name = this.#readName(LABEL_START, LABEL_PART, "label");
    if (name !== "") return name;
    return this.#fail(family ? `invalid label name for metric ${goQuote(family.name)}` : "invalid metric name");
  }

  /** A label from its equals sign on. Labels that stand before the name of their metric wait in `early`. */
  #readLabel(family: FamilyBuilder | undefined, name: ByteString, early: ByteString[]): void {
    if (name === "__name__") this.#fail(`label name "__name__" is reserved`);
    if (family?.hasLabel(name)) this.#fail(`duplicate label names for metric ${goQuote(family.name)}`);
    this.#position++;
    this.#skipBlanks();
    if (this.#byte() !== QUOTE) {
      this.#fail(`expected '"' at start of label value, found ${quoteByte(this.#byte())}`);
    }
    const value = this.#readLabelValue();
    if (family === undefined) early.push(name, value);
    else this.#addLabel(family, name, value);
    this.#skipBlanks();
    const end = this.#byte();
    if (end !== COMMA && end !== CLOSE_BRACE) this.#fail(`unexpected end of label value ${goQuote(value)}`);
  }

  #addLabel(family: FamilyBuilder | undefined, name: ByteString, value: ByteString): void {
    if (family === undefined) return;
    if (family.boundLabel !== name) {
      if (family.hasLabel(name)) this.#fail(`duplicate label names for metric ${goQuote(family.name)}`);
      family.addLabel(name, value);
      return;
    }
    const bound = parseGoFloat(value);
    if (bound === undefined) this.#fail(`expected float as value for '${name}' label, got ${goQuote(value)}`);
    family.setBound(bound);
  }

  #readLabelValue(): ByteString {
    const value = this.#readQuoted("label value", false);
    if (!isValidUtf8(value)) this.#fail(`invalid label value ${goQuote(value)}`);
    return value;
  }

  #readValue(): number {
    const start = this.#position;
    const digits = this.#readDigits();
    if (digits !== undefined) return digits;
    this.#position = start;
    const text = this.#readUntilBlank();
    const value = parseGoFloat(text);
    return value ?? this.#fail(`expected float as value, got ${goQuote(text)}`);
  }

  /** The whole number at the position, where it is short and a blank or the end of the line ends it: most values. */
  #readDigits(): number | undefined {
    let value = 0;
    const start = this.#position;
    for (let i = start; i < start + 16; i++) {
      const byte = this.#buffer[i] as number;
      const digit = byte - ZERO;
      if (digit >= 0 && digit <= 9) value = value * 10 + digit;
      else {
        this.#position = i;
        return i > start && (byte === NEWLINE || byte === BLANK || byte === TAB) ? value : undefined;
      }
    }
    return undefined;
  }

  /** What follows the value up to the end of the line, and the end of the line. */
  #readTimestamp(): number | undefined {
    if (this.#byte() === NEWLINE) {
      this.#position++;
      return undefined;
    }
    this.#skipBlanks();
    const text = this.#readUntilBlank();
    const [, sign, digits] = SHORT_INTEGER.exec(text) ?? [];
    const timestamp = digits === undefined ? undefined : BigInt(sign + digits);
    if (timestamp === undefined || timestamp > INT64_MAX || timestamp < -INT64_MAX - 1n) {
      return this.#fail(`expected integer as timestamp, got ${goQuote(text)}`);
    }
    const rest = this.#readRestOfLine();
    if (rest !== "") this.#fail(`spurious string after timestamp: ${goQuote(rest)}`);
    this.#position++;
    return Number(timestamp);
  }

  #readHelp(): ByteString {
    const start = this.#position;
    const end = this.#buffer.indexOf(NEWLINE, start);
    const line = this.#buffer.toString("latin1", start, end === -1 ? this.#buffer.length : end);
    this.#position = start + line.length;
    const help = line.includes("\\") ? this.#unescapeHelp(line) : line;
    this.#byte();
    return help;
  }

  #unescapeHelp(line: ByteString): ByteString {
    return line.replaceAll(/\\(.?)/gs, (_, escaped: string) => {
      if (escaped === "\\" || escaped === '"') return escaped;
      if (escaped === "n") return "\n";
      return this.#failEscape(escaped === "" ? this.#byte() : escaped.charCodeAt(0));
    });
  }

  /** Backslashes vanish here, as in Pushgateway. Leaves the position at the end of the line. */
  #readRestOfLine(): ByteString {
    const start = this.#position;
    const end = this.#buffer.indexOf(NEWLINE, start);
    this.#position = end === -1 ? this.#buffer.length : end;
    this.#byte();
    const rest = this.#buffer.toString("latin1", start, end);
    return rest.includes("\\") ? rest.replaceAll("\\", "") : rest;
  }

  #skipLine(): void {
    const end = this.#buffer.indexOf(NEWLINE, this.#position);
    this.#position = end === -1 ? this.#buffer.length : end;
    this.#byte();
    this.#position++;
  }

  #readUntilBlank(): ByteString {
    const start = this.#position;
    for (;;) {
      const byte = this.#byte();
      if (byte === BLANK || byte === TAB || byte === NEWLINE)
        return this.#buffer.toString("latin1", start, this.#position);
      this.#position++;
    }
  }

  #readName(startClass: number, partClass: number, what: "metric" | "label"): ByteString {
    const start = this.#position;
    const first = this.#byte();
    if (first === QUOTE) return this.#readQuoted(`${what} name`, true);
    if (((CLASSES[first] as number) & startClass) === 0) return "";
    do this.#position++;
    while (((CLASSES[this.#byte()] as number) & partClass) !== 0);
    return this.#buffer.toString("latin1", start, this.#position);
  }

  /** What stands between the quote at the position and the next; leaves the position behind that. */
  #readQuoted(what: string, isName: boolean): ByteString {
    this.#position++;
    let value = "";
    let start = this.#position;
    for (;;) {
      const byte = this.#byte();
      if (byte !== QUOTE && byte !== BACKSLASH && byte !== NEWLINE) {
        this.#position++;
        continue;
      }
      const piece = this.#buffer.toString("latin1", start, this.#position);
      value = value === "" ? piece : value + piece;
      if (byte === NEWLINE) this.#fail(`${what} ${goQuote(value)} contains unescaped new-line`);
      this.#position++;
      if (byte === QUOTE) return value;
      value += this.#readEscaped(isName);
      start = this.#position;
    }
  }

  #readEscaped(isName: boolean): ByteString {
    const byte = this.#byte();
    this.#position++;
    if (byte === BACKSLASH) return "\\";
    if (byte === LETTER_N) return "\n";
    if (byte !== QUOTE) return this.#failEscape(byte);
    // Pushgateway keeps the backslash before a quote in a name.
    return isName ? '\\"' : '"';
  }

  #skipBlanks(): void {
    const buffer = this.#buffer;
    let byte = buffer[this.#position];
    while (byte === BLANK || byte === TAB) byte = buffer[++this.#position];
  }

  /** The byte at the position. Whoever asks for one cannot do without. */
  #byte(): number {
    return this.#buffer[this.#position] ?? this.#fail("unexpected end of input stream");
  }

  #familyOf(sampleName: ByteString): FamilyBuilder {
    if (this.#latest?.name === sampleName) return this.#latest;
    let family = this.#families.get(sampleName) ?? this.#familyOfSuffixed(sampleName);
    if (family === undefined) {
      family = new FamilyBuilder(sampleName);
      this.#families.set(sampleName, family);
    }
    this.#latest = family;
    return family;
  }

  /** The summary or histogram whose sum, count or bucket this is. */
  #familyOfSuffixed(sampleName: ByteString): FamilyBuilder | undefined {
    const suffix = suffixOf(sampleName);
    if (suffix === "") return undefined;
    const family = this.#families.get(sampleName.slice(0, -suffix.length));
    if (family?.type === "histogram") return family;
    return family?.type === "summary" && suffix !== "_bucket" ? family : undefined;
  }

  #failEscape(byte: number): never {
    return this.#fail(`invalid escape sequence '\\${String.fromCharCode(byte)}'`);
  }

  #fail(problem: string): never {
    throw new TextFormatError(`text format parsing error in line ${this.#line}: ${problem}`);
  }
}

/** The suffix that makes a sample part of a summary or histogram, or nothing. */
function suffixOf(name: ByteString): "" | "_count" | "_sum" | "_bucket" {
  for (const suffix of ["_count", "_sum", "_bucket"] as const) {
    if (name.length > suffix.length && name.endsWith(suffix)) return suffix;
  }
  return "";
}

/** A byte as Go's `%q` shows it: as the character of that code point in single quotes. */
function quoteByte(byte: number): string {
  if (byte === 0x27) return "'\\''";
  if (byte === QUOTE) return `'"'`;
  return `'${goQuote(encodeCodePoint(byte)).slice(1, -1)}'`;
}
