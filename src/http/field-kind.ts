/**
 * What a header field is to HTTP itself. Fields that describe one connection must not be passed on (RFC 9110 §7.6.1);
 * Content-Length and Host are no such fields, but each hop writes its own.
 */
export const FIELD_KINDS = {
  endToEnd: 0,
  hopByHop: 1,
  host: 2,
  contentLength: 3,
  transferEncoding: 4,
  connection: 5,
  expect: 6,
} as const;

export type FieldKind = (typeof FIELD_KINDS)[keyof typeof FIELD_KINDS];

const KINDS_BY_NAME: Readonly<Record<string, FieldKind>> = {
  host: FIELD_KINDS.host,
  "content-length": FIELD_KINDS.contentLength,
  "transfer-encoding": FIELD_KINDS.transferEncoding,
  connection: FIELD_KINDS.connection,
  expect: FIELD_KINDS.expect,
  "keep-alive": FIELD_KINDS.hopByHop,
  "proxy-authenticate": FIELD_KINDS.hopByHop,
  "proxy-authorization": FIELD_KINDS.hopByHop,
  "proxy-connection": FIELD_KINDS.hopByHop,
  te: FIELD_KINDS.hopByHop,
  trailer: FIELD_KINDS.hopByHop,
  upgrade: FIELD_KINDS.hopByHop,
};

/** Whether a field of this name, in lower case, is held back without the Connection field naming it. */
export function isConnectionField(lowerName: string): boolean {
  return Object.hasOwn(KINDS_BY_NAME, lowerName) || lowerName === "close";
}

interface KnownName {
  readonly bytes: Buffer;
  readonly kind: FieldKind;
}

/** By length, so that most fields are told by it alone. */
const KNOWN_NAMES: readonly (readonly KnownName[])[] = knownNamesByLength();

function knownNamesByLength(): KnownName[][] {
  const names = Object.entries(KINDS_BY_NAME).map(([name, kind]) => ({ bytes: Buffer.from(name), kind }));
  const longest = Math.max(...names.map(({ bytes }) => bytes.length));
  return Array.from({ length: longest + 1 }, (_, length) => names.filter(({ bytes }) => bytes.length === length));
}

/** The kind of the field whose name, a token, stands between `start` and `end`. */
export function fieldKind(bytes: Buffer, start: number, end: number): FieldKind {
  const candidates = KNOWN_NAMES[end - start];
  if (candidates === undefined) return FIELD_KINDS.endToEnd;
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[i] as KnownName;
    if (isNameAt(bytes, start, candidate.bytes)) return candidate.kind;
  }
  return FIELD_KINDS.endToEnd;
}

/** The bit 0x20 tells the cases of a letter apart; the other bytes of these names, hyphens, have it set. */
function isNameAt(bytes: Buffer, start: number, lowerName: Buffer): boolean {
  for (let i = 0; i < lowerName.length; i++) {
    if (((bytes[start + i] as number) | 0x20) !== lowerName[i]) return false;
  }
  return true;
}
