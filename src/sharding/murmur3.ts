import type { ByteString } from "./byte-string.ts";

/**
 * MurmurHash3 x86_32 with seed 0, as an unsigned 32-bit number: the hash of the predecessor's ring
 * (https://github.com/aappleby/smhasher, MurmurHash3.cpp).
 */
export function murmur3(key: ByteString): number {
  const length = key.length;
  const tailStart = length & ~3;
  let hash = 0;
  for (let i = 0; i < tailStart; i += 4) {
    hash = mixBlock(
      hash,
      key.charCodeAt(i) | (key.charCodeAt(i + 1) << 8) | (key.charCodeAt(i + 2) << 16) | (key.charCodeAt(i + 3) << 24),
    );
  }
  let tail = 0;
  for (let i = length - 1; i >= tailStart; i--) tail = (tail << 8) | key.charCodeAt(i);
  return finish(hash, tail, length);
}

/** {@link murmur3} of the first `length` bytes of a buffer, for callers that hash many strings without building them. */
export function murmur3OfBytes(bytes: Uint8Array, length: number): number {
  const tailStart = length & ~3;
  let hash = 0;
  for (let i = 0; i < tailStart; i += 4) {
    hash = mixBlock(
      hash,
      byteAt(bytes, i) | (byteAt(bytes, i + 1) << 8) | (byteAt(bytes, i + 2) << 16) | (byteAt(bytes, i + 3) << 24),
    );
  }
  let tail = 0;
  for (let i = length - 1; i >= tailStart; i--) tail = (tail << 8) | byteAt(bytes, i);
  return finish(hash, tail, length);
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function mixBlock(hash: number, block: number): number {
  const mixed = hash ^ scramble(block);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

function scramble(block: number): number {
  const product = Math.imul(block, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

/** Takes in the last 0 to 3 bytes and the length, then lets every input bit reach every output bit. */
function finish(hash: number, tail: number, length: number): number {
  let mixed = hash ^ scramble(tail) ^ length;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
