import type { Metric } from "../exposition/model.ts";
import { type ProtobufFormatError, parseDelimited } from "../exposition/protobuf-decoder.ts";
import { delimited, varint } from "../exposition/protobuf-reader.ts";
import type { ByteString } from "../sharding/byte-string.ts";
import { FieldCursor } from "./field-cursor.ts";
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
const LABEL = delimited(1);
const LABEL_NAME = delimited(1);
const LABEL_VALUE = delimited(2);

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
    const cursor = new FieldCursor(this.#bytes, this.#at);
    const length = cursor.varint();
    if (length === undefined) return false;
    this.#at = cursor.at;
    this.#bytesLeft = length;
    this.#family = new PickedFamily();
    this.#series = undefined;
    return true;
  }

  #readField(): boolean {
    const cursor = new FieldCursor(this.#bytes, this.#at);
    if (!cursor.tryNext()) {
      if (this.#bytes.length - this.#at > MAX_FIELD_BYTES)
        throw new RangeError(`a field exceeds ${MAX_FIELD_BYTES} bytes`);
      return false;
    }
    const field = this.#bytes.subarray(this.#at, cursor.at);
    this.#bytesLeft -= field.length;
    if (this.#bytesLeft < 0) throw new RangeError("a family ends within one of its fields");
    this.#at = cursor.at;
    this.#takeField(cursor, field);
    return true;
  }

  #takeField(cursor: FieldCursor, field: Buffer): void {
    const { tag } = cursor;
    if (tag === METRIC) {
      if (this.#series?.has(keyOfMetric(cursor)) === true) this.#family.metrics.push(field);
    } else if (tag === NAME) {
      const name = cursor.text();
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

/** The labels of a metric field, of which all else is skipped. Most metrics are looked at in vain, so this must be cheap. */
function keyOfMetric(cursor: FieldCursor): SeriesKey {
  const labels: ByteString[] = [];
  const end = cursor.at;
  cursor.at = cursor.valueStart;
  while (cursor.next(end)) if (cursor.tag === LABEL) readLabel(cursor, labels);
  return seriesKeyOf(labels);
}

/** Reads the label behind which the cursor is, and leaves it there. */
function readLabel(cursor: FieldCursor, into: ByteString[]): void {
  const end = cursor.at;
  let name = "";
  let value = "";
  cursor.at = cursor.valueStart;
  while (cursor.next(end)) {
    if (cursor.tag === LABEL_NAME) name = cursor.text();
    else if (cursor.tag === LABEL_VALUE) value = cursor.text();
  }
  into.push(name, value);
}

function encodeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return Buffer.from([...bytes, left]);
}
