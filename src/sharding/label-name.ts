import { type ByteString, encodeCodePoint, isValidUtf8 } from "./byte-string.ts";

const LEGACY_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const ESCAPED_NAME_PREFIX = "U__";
const RESERVED_PREFIX = "__";

/** Whether it may name a label whatever the flags of a Pushgateway. */
export function isLegacyLabelName(name: ByteString): boolean {
  return LEGACY_NAME.test(name);
}

/**
 * The label name that Pushgateway reads from this part of a path, without its `@base64`; undefined when it takes none.
 * `utf8Names` stands for --push.enable-utf8-names: any UTF-8 is a name then, and `U__a_2e_b` spells `a.b`. As
 * there, an escaped name may turn out to be a reserved one.
 */
export function readLabelName(part: ByteString, utf8Names: boolean): ByteString | undefined {
  if (part.startsWith(RESERVED_PREFIX)) return undefined;
  if (!utf8Names) return LEGACY_NAME.test(part) ? part : undefined;
  const name = part.startsWith(ESCAPED_NAME_PREFIX) ? unescapeName(part) : part;
  return name !== "" && isValidUtf8(name) ? name : undefined;
}

// After `U__`: any byte for itself, `__` for an underscore, `_<hex>_` for a code point.
const ESCAPED_UNIT = /[^_]|__|_([^_]{1,5})_/gs;

/** Undoes prometheus/common's "values" escaping. A name that is not escaped properly stands for itself, as it does there. */
function unescapeName(escaped: ByteString): ByteString {
  const body = escaped.slice(ESCAPED_NAME_PREFIX.length);
  let isProper = true;
  let consumed = 0;
  const name = body.replace(ESCAPED_UNIT, (unit: string, digits: string | undefined) => {
    consumed += unit.length;
    if (unit === "__") return "_";
    if (digits === undefined) return unit;
    const codePoint = readHex(digits);
    if (codePoint === undefined) isProper = false;
    return codePoint === undefined ? unit : encodeCodePoint(codePoint);
  });
  return isProper && consumed === body.length ? name : escaped;
}

/** Reads hex digits as Go does there, where setting a bit to make letters small also makes digits of 0x10 to 0x19. */
function readHex(digits: ByteString): number | undefined {
  let value = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = Number.parseInt(String.fromCharCode(digits.charCodeAt(i) | 0x20), 16);
    if (Number.isNaN(digit)) return undefined;
    value = value * 16 + digit;
  }
  const isSurrogate = value >= 0xd800 && value <= 0xdfff;
  return isSurrogate ? undefined : value;
}
