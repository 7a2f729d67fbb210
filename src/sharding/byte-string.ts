/**
 * A string in which every char code is one byte (0 to 255): what came off a socket, before anybody chose an encoding.
 * Push paths are handled in this form throughout, because Pushgateway compares and hashes bytes and most labels are not
 * worth decoding. `Buffer.from(text, "latin1")` and `buffer.toString("latin1")` convert without loss.
 */
export type ByteString = string;

/** What a request target cannot hold: blanks, control characters, and percent signs that encode no byte. */
const MALFORMED_TARGET = /[^!-~\x80-\xff]|%(?![0-9A-Fa-f]{2})/;

/** Decodes every `%xx` of a request target once, and nothing else; undefined when the target is malformed. */
export function percentDecode(target: ByteString): ByteString | undefined {
  if (MALFORMED_TARGET.test(target)) return undefined;
  if (!target.includes("%")) return target;
  return target.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The text that the bytes encode in UTF-8, with U+FFFD for what is not UTF-8. */
export function decodeUtf8(bytes: ByteString): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));
}

const NON_ASCII = /[\x80-\xff]/;

/** Whether the bytes are well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF (RFC 3629). */
export function isValidUtf8(bytes: ByteString): boolean {
  if (!NON_ASCII.test(bytes)) return true;
  for (let i = 0; i < bytes.length; ) {
    const width = utf8Width(bytes, i);
    if (width === 0) return false;
    i += width;
  }
  return true;
}

/** A range of lead bytes, the second bytes that may follow it, and the width of the character in bytes. */
type Utf8Form = readonly [leadMin: number, leadMax: number, secondMin: number, secondMax: number, width: number];

/** The Unicode Standard, table 3-7. The narrow ranges keep out overlong forms, surrogates and what lies above U+10FFFF. */
const UTF8_FORMS: readonly Utf8Form[] = [
  [0xc2, 0xdf, 0x80, 0xbf, 2],
  [0xe0, 0xe0, 0xa0, 0xbf, 3],
  [0xe1, 0xec, 0x80, 0xbf, 3],
  [0xed, 0xed, 0x80, 0x9f, 3],
  [0xee, 0xef, 0x80, 0xbf, 3],
  [0xf0, 0xf0, 0x90, 0xbf, 4],
  [0xf1, 0xf3, 0x80, 0xbf, 4],
  [0xf4, 0xf4, 0x80, 0x8f, 4],
];

/** How many bytes the well-formed UTF-8 character at `start` takes, or 0 when there is none. */
export function utf8Width(bytes: ByteString, start: number): number {
  const lead = bytes.charCodeAt(start);
  if (lead < 0x80) return 1;
  const form = UTF8_FORMS.find(([leadMin, leadMax]) => leadMin <= lead && lead <= leadMax);
  if (form === undefined) return 0;
  const [, , secondMin, secondMax, width] = form;
  const second = bytes.charCodeAt(start + 1);
  if (!(secondMin <= second && second <= secondMax)) return 0;
  for (let i = start + 2; i < start + width; i++) {
    if ((bytes.charCodeAt(i) & 0xc0) !== 0x80) return 0;
  }
  return width;
}

/** The code point of one well-formed UTF-8 character. */
export function codePointOf(character: ByteString): number {
  const lead = character.charCodeAt(0);
  // The lead byte of n bytes carries 7 - n bits of the code point, and each byte after it six.
  let codePoint = character.length === 1 ? lead : lead & (0x7f >> character.length);
  for (let i = 1; i < character.length; i++) codePoint = (codePoint << 6) | (character.charCodeAt(i) & 0x3f);
  return codePoint;
}

/** A code point in UTF-8. It must not be a surrogate. */
export function encodeCodePoint(codePoint: number): ByteString {
  if (codePoint < 0x80) return String.fromCharCode(codePoint);
  const width = codePoint < 0x800 ? 2 : codePoint < 0x10000 ? 3 : 4;
  let bytes = "";
  for (let shift = 6 * (width - 1); shift >= 0; shift -= 6) {
    const mark = bytes === "" ? 0xf00 >> width : 0x80;
    bytes += String.fromCharCode((mark & 0xff) | ((codePoint >> shift) & 0x3f));
  }
  return bytes;
}
