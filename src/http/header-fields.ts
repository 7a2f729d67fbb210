import { FIELD_KINDS, type FieldKind, fieldKind, isConnectionField } from "./field-kind.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import type { OutputBuffer } from "./output-buffer.ts";

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const ZERO = 0x30;
const COLON = 0x3a;
const DELETE = 0x7f;

/** 1 for each byte that may stand in a token (RFC 9110 §5.6.2). */
const IS_TOKEN = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  IS_TOKEN[character.charCodeAt(0)] = 1;
}

/** Where the token that begins at `start` ends, at `end` at the latest. */
export function endOfToken(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && IS_TOKEN[bytes[at] as number] === 1) at++;
  return at;
}

/**
 * Where the line that goes on at `start` ends: at its CRLF, or at the end of the head, where an empty line begins. Refuses control characters but tab,
 * and a CR or LF that stands alone: some parsers end a line there and some do not, and that is what header injection and
 * request smuggling are made of.
 */
export function endOfLine(bytes: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isText(bytes[at] as number)) at++;
  if (at === end || (bytes[at] === CR && bytes[at + 1] === LF)) return at;
  throw badByte(bytes[at] as number);
}

function isText(byte: number): boolean {
  return (byte >= SPACE && byte !== DELETE) || byte === TAB;
}

function badByte(byte: number): HttpSyntaxError {
  const isLineEnd = byte === CR || byte === LF;
  const fault = isLineEnd ? "line does not end in CRLF" : "control character";
  return new HttpSyntaxError(400, `Malformed HTTP head: ${fault}`);
}

/** Numbers kept for each field: start of its line, colon, end of its line, kind. */
const STRIDE = 4;

/**
 * The fields of a message's header section, in the order and spelling in which they came. They stay where they are, in the
 * bytes from the socket, and only their places are noted: a proxy looks at few and copies the rest.
 */
export class HeaderFields {
  readonly #bytes: Buffer;
  readonly #places: readonly number[];

  private constructor(bytes: Buffer, places: readonly number[]) {
    this.#bytes = bytes;
    this.#places = places;
  }

  /** Reads the field lines from `start` to `end`, where the empty line begins that must follow. Throws HttpSyntaxError. */
  static parse(bytes: Buffer, start: number, end: number): HeaderFields {
    const places: number[] = [];
    let lineStart = start;
    while (lineStart < end) {
      const colon = endOfToken(bytes, lineStart, end);
      // Also catches a blank before the colon and a folded line, both forbidden because proxies read them differently.
      if (colon === lineStart || bytes[colon] !== COLON) throw badLine(bytes, lineStart, end);
      const lineEnd = endOfLine(bytes, colon + 1, end);
      places.push(lineStart, colon, lineEnd, fieldKind(bytes, lineStart, colon));
      lineStart = lineEnd + 2;
    }
    return new HeaderFields(bytes, places);
  }

  /** How many there are. */
  get count(): number {
    return this.#places.length / STRIDE;
  }

  /** The first value of a field, or undefined. `lowerName` is in lower case; field names are case-insensitive. */
  get(lowerName: string): string | undefined {
    for (let place = 0; place < this.#places.length; place += STRIDE) {
      if (this.#isNamed(place, lowerName)) return this.#value(place);
    }
    return undefined;
  }

  /** All values of a field. */
  *values(lowerName: string): Iterable<string> {
    for (let place = 0; place < this.#places.length; place += STRIDE) {
      if (this.#isNamed(place, lowerName)) yield this.#value(place);
    }
  }

  /** Names and values as byte strings. */
  *[Symbol.iterator](): Iterator<[name: string, value: string]> {
    for (let place = 0; place < this.#places.length; place += STRIDE) yield [this.#name(place), this.#value(place)];
  }

  kindAt(index: number): FieldKind {
    return this.#places[index * STRIDE + 3] as FieldKind;
  }

  valueAt(index: number): string {
    return this.#value(index * STRIDE);
  }

  /** The value as a number, if it is one of 1 to 15 ASCII digits; else -1. */
  decimalAt(index: number): number {
    const [start, end] = this.#valueSpan(index * STRIDE);
    if (start === end || end - start > 15) return -1;
    let number = 0;
    for (let at = start; at < end; at++) {
      const digit = (this.#bytes[at] as number) - ZERO;
      if (digit < 0 || digit > 9) return -1;
      number = number * 10 + digit;
    }
    return number;
  }

  /**
   * Adds the lines of the fields that may pass on to the next hop, each with its CRLF: all but those that describe this
   * connection, among them the ones that the Connection field names.
   */
  copyEndToEnd(output: OutputBuffer, connectionOptions: readonly string[]): void {
    const named =
      connectionOptions.length === 0 ? NOTHING : connectionOptions.filter((option) => !isConnectionField(option));
    let runStart = -1;
    let runEnd = -1;
    for (let place = 0; place < this.#places.length; place += STRIDE) {
      if (this.#isHopByHop(place, named)) continue;
      const lineStart = this.#places[place] as number;
      if (lineStart !== runEnd + 2) {
        this.#copyLines(output, runStart, runEnd);
        runStart = lineStart;
      }
      runEnd = this.#places[place + 2] as number;
    }
    this.#copyLines(output, runStart, runEnd);
  }

  #copyLines(output: OutputBuffer, start: number, end: number): void {
    if (start !== -1) output.addBytes(this.#bytes, start, end + 2);
  }

  #isHopByHop(place: number, named: readonly string[]): boolean {
    if (this.#places[place + 3] !== FIELD_KINDS.endToEnd) return true;
    return named.length > 0 && named.includes(this.#name(place).toLowerCase());
  }

  #isNamed(place: number, lowerName: string): boolean {
    const length = (this.#places[place + 1] as number) - (this.#places[place] as number);
    return length === lowerName.length && this.#name(place).toLowerCase() === lowerName;
  }

  #name(place: number): string {
    return this.#bytes.toString("latin1", this.#places[place], this.#places[place + 1]);
  }

  #value(place: number): string {
    const [start, end] = this.#valueSpan(place);
    return this.#bytes.toString("latin1", start, end);
  }

  /** Where the value stands, without the blanks around it. */
  #valueSpan(place: number): [start: number, end: number] {
    let start = (this.#places[place + 1] as number) + 1;
    let end = this.#places[place + 2] as number;
    while (start < end && isBlank(this.#bytes[start] as number)) start++;
    while (end > start && isBlank(this.#bytes[end - 1] as number)) end--;
    return [start, end];
  }
}

/** Names the graver fault, if the line has two. */
function badLine(bytes: Buffer, start: number, end: number): HttpSyntaxError {
  endOfLine(bytes, start, end);
  return new HttpSyntaxError(400, "Malformed HTTP head: bad header line");
}

/** Whether a byte is what may stand around a value (RFC 9110 §5.6.3). */
export function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

const NOTHING: readonly string[] = [];
