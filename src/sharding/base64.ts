import type { ByteString } from "./byte-string.ts";

/** Why a text is not base64, in the words of Go's encoding/base64. */
export interface Base64Problem {
  readonly problem: string;
}

const FOREIGN_BYTE = /[^A-Za-z0-9_\-\r\n]/;

/**
 * Decodes the value of an `@base64` label as Pushgateway does. However many `=` end the text are padding; the rest is for
 * Go's `base64.RawURLEncoding`, which skips CR and LF, ignores stray bits of the last character and refuses all else.
 */
export function decodeBase64(text: ByteString): ByteString | Base64Problem {
  const unpadded = withoutPadding(text);
  const foreignAt = unpadded.search(FOREIGN_BYTE);
  if (foreignAt !== -1) return corruptAt(foreignAt);
  const digits = unpadded.replaceAll(/[\r\n]/g, "");
  if (digits.length % 4 === 1) return corruptAt(unpadded.length - 1);
  return atob(digits.replaceAll("-", "+").replaceAll("_", "/"));
}

function withoutPadding(text: ByteString): ByteString {
  let end = text.length;
  while (end > 0 && text[end - 1] === "=") end--;
  return text.slice(0, end);
}

function corruptAt(index: number): Base64Problem {
  return { problem: `illegal base64 data at input byte ${index}` };
}
