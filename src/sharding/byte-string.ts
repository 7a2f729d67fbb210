/**
 * A string in which every char code is one byte (0 to 255): what came off a socket, before anybody chose an encoding.
 * Push paths are handled in this form throughout, because Pushgateway compares and hashes bytes and most labels are not
 * worth decoding. `Buffer.from(text, "latin1")` and `buffer.toString("latin1")` convert without loss.
 */
export type ByteString = string;

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
