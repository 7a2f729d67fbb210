import type { ByteString } from "./byte-string.ts";

/** Why a text is not base64, in the words of Go's encoding/base64, and what came before the fault. */
export interface Base64Problem {
  readonly problem: string;
  /** Whole groups of four characters only. */
  readonly decodedBefore: ByteString;
}

const FOREIGN_BYTE = /[^A-Za-z0-9_\-\r\n]/;

/**
 * Decodes the value of an `@base64` label as Pushgateway does. However many `=` end the text are padding; the rest is for
 * Go's `base64.RawURLEncoding`, which skips CR and LF, ignores stray bits of the last character and refuses all else.
 */
export function decodeBase64(text: ByteString): ByteString | Base64Problem {
  const unpadded = withoutPadding(text);
  const foreignAt = unpadded.search(FOREIGN_BYTE);
  const digits = withoutLineEnds(foreignAt === -1 ? unpadded : unpadded.slice(0, foreignAt));
  if (foreignAt === -1 && digits.length % 4 !== 1) return decodeDigits(digits);
  return {
    problem: `illegal base64 data at input byte ${foreignAt === -1 ? unpadded.length - 1 : foreignAt}`,
    decodedBefore: decodeDigits(digits.slice(0, digits.length - (digits.length % 4))),
  };
}

function withoutPadding(text: ByteString): ByteString {
  let end = text.length;
  while (end > 0 && text[end - 1] === "=") end--;
  return text.slice(0, end);
}

function withoutLineEnds(text: ByteString): ByteString {
  return text.replaceAll(/[\r\n]/g, "");
}

function decodeDigits(digits: ByteString): ByteString {
  return atob(digits.replaceAll("-", "+").replaceAll("_", "/"));
}
