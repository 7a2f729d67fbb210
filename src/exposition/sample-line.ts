import type { ByteString } from "../sharding/byte-string.ts";
import type { LabelPairs } from "./model.ts";
import { unescapeQuoted } from "./text-labels.ts";

const TAB = 0x09;
const NEWLINE = 0x0a;
const BLANK = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Numbers kept for each label: start and end of its name, start and end of its value, all without quotes. */
const STRIDE = 4;

/**
 * Reads sample lines of the text format one after the other, without making strings of them: whoever merges expositions looks at
 * few labels and copies the rest. One reader serves any number of lines; what it tells is true until it reads the next one.
 *
 * It is made for what Pushgateways write: a line that is none is told by `isSample`, the numbers are not looked at.
 */
export class SampleLine {
  #bytes: Buffer = Buffer.alloc(0);
  #nameStart = 0;
  #nameEnd = 0;
  #labelsStart = 0;
  #labelsEnd = 0;
  #places: number[] = [];
  #labelCount = 0;
  #hasQuotedName = false;
  #isSample = false;

  /** Reads the line that begins at `start`; returns where the next one begins, `end` at the latest. */
  read(bytes: Buffer, start: number, end: number): number {
    this.#bytes = bytes;
    this.#labelCount = 0;
    this.#hasQuotedName = false;
    let at = start;
    let byte = bytes[at];
    while (at < end && byte !== OPEN_BRACE && byte !== BLANK && byte !== TAB && byte !== NEWLINE) byte = bytes[++at];
    this.#nameStart = start;
    this.#nameEnd = at;
    this.#labelsStart = at;
    if (at < end && byte === OPEN_BRACE) at = this.#readLabels(at, end);
    this.#labelsEnd = at;
    this.#isSample = this.#nameEnd > this.#nameStart && bytes[at] !== NEWLINE && at < end;
    const newline = bytes.indexOf(NEWLINE, at);
    return newline === -1 || newline >= end ? end : newline + 1;
  }

  /** Whether the line has a name and what may be a value. */
  get isSample(): boolean {
    return this.#isSample;
  }

  /** Whether the name of the metric or of a label is in quotes, which the format 0.0.4 does not know. */
  get hasQuotedName(): boolean {
    return this.#hasQuotedName;
  }

  get labelCount(): number {
    return this.#labelCount;
  }

  /** The labels as they stand there, with their braces; equal for equal labels of Pushgateways, which sort them. */
  get labelsText(): ByteString {
    return this.#bytes.toString("latin1", this.#labelsStart, this.#labelsEnd);
  }

  /** Everything behind the labels, with the blank before it and without the end of the line, which is at `end`. */
  valueText(end: number): ByteString {
    return this.#bytes.toString("latin1", this.#labelsEnd, end);
  }

  name(): ByteString {
    return this.#text(this.#nameStart, this.#nameEnd);
  }

  labelName(index: number): ByteString {
    return this.#text(this.#places[STRIDE * index] as number, this.#places[STRIDE * index + 1] as number);
  }

  labelValue(index: number): ByteString {
    return this.#text(this.#places[STRIDE * index + 2] as number, this.#places[STRIDE * index + 3] as number);
  }

  /** Whether there is a label called `name`, of ASCII letters. */
  hasLabel(name: Buffer): boolean {
    return this.#find(name) !== -1;
  }

  /** The value of the label called `name`, of ASCII letters. */
  valueOf(name: Buffer): ByteString | undefined {
    const index = this.#find(name);
    return index === -1 ? undefined : this.labelValue(index);
  }

  /** Names and values in the order of the line. */
  labels(): LabelPairs {
    const pairs: ByteString[] = [];
    for (let index = 0; index < this.#labelCount; index++) pairs.push(this.labelName(index), this.labelValue(index));
    return pairs;
  }

  #find(name: Buffer): number {
    const bytes = this.#bytes;
    for (let index = 0; index < this.#labelCount; index++) {
      const start = this.#places[STRIDE * index] as number;
      if ((this.#places[STRIDE * index + 1] as number) - start !== name.length) continue;
      let same = 0;
      while (same < name.length && bytes[start + same] === name[same]) same++;
      if (same === name.length) return index;
    }
    return -1;
  }

  /** From the opening brace to behind the closing one, or to where the line breaks off. */
  #readLabels(start: number, end: number): number {
    const bytes = this.#bytes;
    let at = start + 1;
    while (at < end) {
      const byte = bytes[at];
      if (byte === CLOSE_BRACE) return at + 1;
      if (byte === NEWLINE) return at;
      if (byte === COMMA || byte === BLANK || byte === TAB) at++;
      else at = this.#readLabel(at, end);
    }
    return at;
  }

  /** A label, or the name of the metric in quotes. */
  #readLabel(start: number, end: number): number {
    const bytes = this.#bytes;
    const isQuoted = bytes[start] === QUOTE;
    const nameStart = isQuoted ? start + 1 : start;
    let at = nameStart;
    if (isQuoted) {
      this.#hasQuotedName = true;
      at = this.#endOfQuoted(nameStart, end);
    } else {
      while (at < end && bytes[at] !== EQUALS && bytes[at] !== NEWLINE && bytes[at] !== CLOSE_BRACE) at++;
    }
    const nameEnd = at;
    if (isQuoted) at++;
    if (bytes[at] !== EQUALS) {
      if (!isQuoted) return Math.max(at, start + 1);
      this.#nameStart = nameStart;
      this.#nameEnd = nameEnd;
      return at;
    }
    const valueStart = at + 2;
    const valueEnd = this.#endOfQuoted(valueStart, end);
    const place = STRIDE * this.#labelCount++;
    this.#places[place] = nameStart;
    this.#places[place + 1] = nameEnd;
    this.#places[place + 2] = valueStart;
    this.#places[place + 3] = valueEnd;
    return valueEnd + 1;
  }

  /** Where the quote stands that ends what begins at `start`. */
  #endOfQuoted(start: number, end: number): number {
    const bytes = this.#bytes;
    let at = start;
    while (at < end && bytes[at] !== QUOTE && bytes[at] !== NEWLINE) at += bytes[at] === BACKSLASH ? 2 : 1;
    return Math.min(at, end);
  }

  #text(start: number, end: number): ByteString {
    return unescapeQuoted(this.#bytes.toString("latin1", start, end));
  }
}
