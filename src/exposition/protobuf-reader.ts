import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { ByteString } from "../sharding/byte-string.ts";

/** A tag as it stands before a field of a message: its number and the form of its value. */
export type Tag = number;

export function varint(field: number): Tag {
  return (field << 3) | WireType.Varint;
}

export function fixed64(field: number): Tag {
  return (field << 3) | WireType.Bit64;
}

export function delimited(field: number): Tag {
  return (field << 3) | WireType.LengthDelimited;
}

/** The value of one field. The reader must take exactly one of them, or none. */
export class FieldReader {
  readonly #reader: BinaryReader;
  #isTaken = false;

  constructor(reader: BinaryReader) {
    this.#reader = reader;
  }

  /**
   * Gives each field of a message to `visit`, by its tag. What `visit` does not take is skipped, be it unknown or of another
   * form than expected, as protobuf demands.
   *
   * @throws Error or RangeError for what is no message.
   */
  static readAll(message: Uint8Array, visit: (tag: Tag, field: FieldReader) => void): void {
    const reader = new BinaryReader(message);
    const field = new FieldReader(reader);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      field.#isTaken = false;
      visit((number << 3) | wireType, field);
      if (!field.#isTaken) reader.skip(wireType, number);
      if (reader.pos > reader.len) throw new RangeError("a message ends within one of its fields");
    }
  }

  message(): Uint8Array {
    return this.#take().bytes();
  }

  string(): ByteString {
    const bytes = this.#take().bytes();
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  }

  double(): number {
    return this.#take().double();
  }

  int32(): number {
    return this.#take().int32();
  }

  uint32(): number {
    return this.#take().uint32();
  }

  sint32(): number {
    return this.#take().sint32();
  }

  /** As a float64, which above 2^53 has no place for the last digits. */
  int64(): number {
    return Number(this.#take().int64());
  }

  /** As a float64, which above 2^53 has no place for the last digits. */
  uint64(): number {
    return Number(this.#take().uint64());
  }

  /** As a float64, which above 2^53 has no place for the last digits. */
  sint64(): number {
    return Number(this.#take().sint64());
  }

  /** A repeated field of numbers in the packed form. */
  packedSint64(into: number[]): void {
    const reader = new BinaryReader(this.message());
    while (reader.pos < reader.len) into.push(Number(reader.sint64()));
  }

  /** A repeated field of numbers in the packed form. */
  packedDouble(into: number[]): void {
    const reader = new BinaryReader(this.message());
    while (reader.pos < reader.len) into.push(reader.double());
  }

  #take(): BinaryReader {
    this.#isTaken = true;
    return this.#reader;
  }
}
