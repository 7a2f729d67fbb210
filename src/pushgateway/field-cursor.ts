import { WireType } from "@bufbuild/protobuf/wire";
import type { Tag } from "../exposition/protobuf-reader.ts";
import type { ByteString } from "../sharding/byte-string.ts";

/** Seven bits in each byte: 2^49 and more is no length and no tag. */
const MAX_VARINT_BYTES = 8;

/**
 * Goes over the fields of a protobuf message without reading what it has no use for, and without making anything of what it reads:
 * for messages of which most are looked at in vain. What it finds worth reading goes to the decoder of exposition/.
 */
export class FieldCursor {
  readonly bytes: Buffer;
  /** Behind the last field, where the next one begins. May be set to `valueStart` to go into a message. */
  at: number;
  /** Of the last field. */
  tag: Tag = 0;
  /** Where the value of the last field begins, behind its length if it has one. */
  valueStart = 0;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Goes over the next field of a message that ends at `end`; false at its end. Throws RangeError. */
  next(end: number): boolean {
    if (this.at >= end) return false;
    if (!this.tryNext() || this.at > end) throw new RangeError("a message ends within one of its fields");
    return true;
  }

  /** Goes over the next field; false, and the cursor stays, when it is not whole. Throws RangeError. */
  tryNext(): boolean {
    const start = this.at;
    const tag = this.varint();
    if (tag !== undefined && this.#passValue(tag & 7) && this.at <= this.bytes.length) {
      this.tag = tag;
      return true;
    }
    this.at = start;
    return false;
  }

  /** The last field as a string. */
  text(): ByteString {
    return this.bytes.toString("latin1", this.valueStart, this.at);
  }

  /** The number at the cursor, which goes behind it; undefined when it is not whole. Throws RangeError. */
  varint(): number | undefined {
    const { bytes } = this;
    let value = 0;
    let factor = 1;
    const end = Math.min(bytes.length, this.at + MAX_VARINT_BYTES);
    for (let at = this.at; at < end; at++) {
      const byte = bytes[at] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.at = at + 1;
        return value;
      }
      factor *= 128;
    }
    if (end < bytes.length || end - this.at === MAX_VARINT_BYTES) throw new RangeError("a number is too long");
    return undefined;
  }

  /** Whether there was enough to tell where the value ends. */
  #passValue(wireType: number): boolean {
    this.valueStart = this.at;
    switch (wireType) {
      case WireType.Varint:
        return this.#passVarint();
      case WireType.Bit64:
        this.at += 8;
        return true;
      case WireType.LengthDelimited: {
        const length = this.varint();
        if (length === undefined) return false;
        this.valueStart = this.at;
        this.at += length;
        return true;
      }
      case WireType.Bit32:
        this.at += 4;
        return true;
      default:
        throw new RangeError(`a field has the unknown form ${wireType}`);
    }
  }

  /** Negative numbers take all of ten bytes. */
  #passVarint(): boolean {
    while (this.at < this.bytes.length) {
      if ((this.bytes[this.at++] as number) < 0x80) return true;
    }
    return false;
  }
}
