import type { Metric } from "../exposition/model.ts";
import { type ProtobufFormatError, parseDelimited } from "../exposition/protobuf-decoder.ts";
import { delimited, FieldReader, type Tag, varint } from "../exposition/protobuf-reader.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import { type SeriesKey, seriesKeyOf } from "./series-key.ts";

/** An exposition that is none, or the beginning of one. */
export class ExpositionFormatError extends Error {
  override readonly name = "ExpositionFormatError";
}

/** Series that are looked for, by the name of their family. */
export type WantedSeries = ReadonlyMap<ByteString, ReadonlySet<SeriesKey>>;

/** What was found, by the name of its family. */
export type FoundSeries = ReadonlyMap<ByteString, FoundFamily>;

interface FoundFamily {
  readonly help: ByteString | undefined;
  readonly metrics: ReadonlyMap<SeriesKey, Metric>;
}

const NAME = delimited(1);
const HELP = delimited(2);
const TYPE = varint(3);
const METRIC = delimited(4);

/** A series is seldom beyond a kilobyte; a native histogram with exemplars may have some tens of them. */
const MAX_FIELD_BYTES = 16_777_216;

/**
 * Picks series out of a protobuf exposition, wherever the pieces in which it comes are cut. It decodes labels only, and those
 * only in families that are wanted; what it finds is decoded at the end.
 */
export class ExpositionPicker {
  readonly #wanted: WantedSeries;
  readonly #picked = new Map<ByteString, PickedFamily>();
  /** What is not read yet: the last chunk, behind what its predecessor left. */
  #bytes: Buffer = EMPTY;
  #at = 0;
  /** Of the family that is being read. */
  #bytesLeft = 0;
  #family: PickedFamily = new PickedFamily();
  #series: ReadonlySet<SeriesKey> | undefined;

  constructor(wanted: WantedSeries) {
    this.#wanted = wanted;
  }

  push(chunk: Buffer): void {
    const rest = this.#bytes.subarray(this.#at);
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at = 0;
  }

  /**
   * Reads one field; false when there is no whole one left.
   *
   * @throws ExpositionFormatError
   */
  step(): boolean {
    try {
      return this.#bytesLeft === 0 ? this.#beginFamily() : this.#readField();
    } catch (error) {
      throw toFormatError(error);
    }
  }

  /**
   * What was found in an exposition that is now whole.
   *
   * @throws ExpositionFormatError
   */
  finish(): FoundSeries {
    if (this.#bytesLeft > 0 || this.#at < this.#bytes.length)
      throw new ExpositionFormatError("its exposition ends early");
    try {
      return new Map(Array.from(this.#picked, ([name, family]) => [name, family.decode()]));
    } catch (error) {
      throw toFormatError(error);
    }
  }

  #beginFamily(): boolean {
    const length = readVarint(this.#bytes, this.#at);
    if (length === undefined) return false;
    this.#at = length.end;
    this.#bytesLeft = length.value;
    this.#family = new PickedFamily();
    this.#series = undefined;
    return true;
  }

  #readField(): boolean {
    const tag = readVarint(this.#bytes, this.#at);
    if (tag === undefined) return false;
    const end = endOfField(this.#bytes, tag.value, tag.end);
    if (end === undefined) {
      if (this.#bytes.length - this.#at > MAX_FIELD_BYTES)
        throw new RangeError(`a field exceeds ${MAX_FIELD_BYTES} bytes`);
      return false;
    }
    const field = this.#bytes.subarray(this.#at, end);
    this.#bytesLeft -= field.length;
    if (this.#bytesLeft < 0) throw new RangeError("a family ends within one of its fields");
    this.#at = end;
    this.#takeField(tag.value, field);
    return true;
  }

  #takeField(tag: Tag, field: Buffer): void {
    if (tag === METRIC) {
      if (this.#series?.has(keyOfMetric(field)) === true) this.#family.metrics.push(field);
    } else if (tag === NAME) {
      const name = readName(field);
      this.#series = this.#wanted.get(name);
      if (this.#series !== undefined) this.#picked.set(name, this.#family);
      this.#family.head.push(field);
    } else if (tag === HELP || tag === TYPE) this.#family.head.push(field);
  }
}

const EMPTY = Buffer.alloc(0);

/** The fields of one family that are worth to be decoded. */
class PickedFamily {
  /** Name, help and type: Go writes fields by their numbers, so these come before the metrics. */
  readonly head: Buffer[] = [];
  readonly metrics: Buffer[] = [];

  decode(): FoundFamily {
    const message = Buffer.concat([...this.head, ...this.metrics]);
    const [family] = parseDelimited(Buffer.concat([encodeVarint(message.length), message]));
    const metrics = family?.metrics ?? [];
    return {
      help: family?.help,
      metrics: new Map(metrics.map((metric) => [seriesKeyOf(metric.labels), metric])),
    };
  }
}

function toFormatError(error: unknown): ExpositionFormatError {
  const { message } = error as Error | ProtobufFormatError;
  return new ExpositionFormatError(`its exposition is not protobuf: ${message}`, { cause: error });
}

function readName(field: Buffer): ByteString {
  let name = "";
  FieldReader.readAll(field, (tag, value) => {
    if (tag === NAME) name = value.string();
  });
  return name;
}

/** The labels of a metric, of which all else is skipped. */
function keyOfMetric(field: Buffer): SeriesKey {
  const labels: ByteString[] = [];
  FieldReader.readAll(field, (_, metric) => {
    FieldReader.readAll(metric.message(), (tag, label) => {
      if (tag === delimited(1)) readLabel(label.message(), labels);
    });
  });
  return seriesKeyOf(labels);
}

function readLabel(message: Uint8Array, into: ByteString[]): void {
  let name = "";
  let value = "";
  FieldReader.readAll(message, (tag, field) => {
    if (tag === delimited(1)) name = field.string();
    else if (tag === delimited(2)) value = field.string();
  });
  into.push(name, value);
}

/** Seven bits are 2^49 with the last of so many bytes: no length comes near. */
const MAX_VARINT_BYTES = 7;

/** The number at a place, and where it ends; undefined when the bytes end within it. */
function readVarint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  let factor = 1;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) return { value, end: at + 1 };
    if (at - start >= MAX_VARINT_BYTES) throw new RangeError("a number is too long");
    factor *= 128;
  }
  return undefined;
}

function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}

/** Where the field ends whose value begins at a place; undefined when that is beyond the bytes. */
function endOfField(bytes: Buffer, tag: Tag, start: number): number | undefined {
  const end = endOfValue(bytes, tag & 7, start);
  return end !== undefined && end <= bytes.length ? end : undefined;
}

function endOfValue(bytes: Buffer, wireType: number, start: number): number | undefined {
  switch (wireType) {
    case 0:
      return readVarint(bytes, start)?.end;
    case 1:
      return start + 8;
    case 2: {
      const length = readVarint(bytes, start);
      return length === undefined ? undefined : length.end + length.value;
    }
    case 5:
      return start + 4;
    default:
      throw new RangeError(`a field has the unknown form ${wireType}`);
  }
}
