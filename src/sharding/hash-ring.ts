import type { ByteString } from "./byte-string.ts";
import { murmur3, murmur3OfBytes } from "./murmur3.ts";

/**
 * Immutable consistent-hash ring, point for point the one of the predecessor: each member has `virtualNodes` points, at
 * the hashes of `0<member>`, `1<member>` and so on, and the owner of a key is the member of the first point beyond the
 * key's hash, going round.
 *
 * The same members, in any order, give the same owners. Members that take no pushes are skipped at lookup, which gives
 * exactly the owner that a ring built without them would give: so the ring holds all known members and changes only with
 * their set, never with their health.
 */
export class HashRing {
  /** Each member once, sorted. A member index, wherever one appears, is a position in this list. */
  readonly members: readonly string[];
  /**
   * Member index and hash of each point in turn, sorted by hash. Points of equal hash all stay, in the order of their
   * members: then the next one takes over when the first is skipped, just as if the first had never been there.
   */
  readonly #points: Uint32Array;
  /** For each value of a hash's top bits the first point that has it, and at the end the number of points. */
  readonly #buckets: Uint32Array;
  readonly #bucketShift: number;

  private constructor(members: readonly string[], points: Uint32Array) {
    this.members = members;
    this.#points = points;
    // As many buckets as fit without outnumbering the points.
    const bucketBits = Math.max(1, Math.floor(Math.log2(points.length / 2)));
    this.#bucketShift = 32 - bucketBits;
    this.#buckets = indexBuckets(points, bucketBits);
  }

  /**
   * Builds the ring over all known members, whatever their state; repeated ones count once. Members are addresses as the
   * Pushgateways are called by all routers and by the predecessor, `host:port`, because their names decide who owns what.
   *
   * @throws RangeError when virtualNodes is not a positive integer.
   */
  static build(members: Iterable<ByteString>, virtualNodes = 500): HashRing {
    if (!Number.isSafeInteger(virtualNodes) || virtualNodes < 1) {
      throw new RangeError(`Cannot build a ring with "${virtualNodes}" virtual nodes: must be a positive integer`);
    }
    const sorted = [...new Set(members)].sort();
    const points = new BigUint64Array(sorted.length * virtualNodes);
    // The hash lies in the high half of each 64-bit number (Bun runs on little-endian machines only), so one native sort
    // orders by hash first and by member next. It beats a radix sort written in JavaScript.
    const halves = new Uint32Array(points.buffer);
    sorted.forEach((member, index) => {
      placeVirtualNodes(member, index, halves.subarray(2 * index * virtualNodes, 2 * (index + 1) * virtualNodes));
    });
    points.sort();
    return new HashRing(sorted, halves);
  }

  /**
   * The index of the member that owns the key among those that take pushes, or -1 when none does. `takesPushes` has one
   * byte for each member, by index; 0 passes the member over.
   */
  ownerIndex(key: ByteString, takesPushes: Uint8Array): number {
    if (this.members.length === 0) return -1;
    const owner = this.#points[this.#firstPointBeyond(murmur3(key))] as number;
    if (takesPushes[owner] !== 0) return owner;
    return this.ownerIndices(key, takesPushes).next().value ?? -1;
  }

  /**
   * The owner of the key and then each next member in fail-over order: the one that would own the key if none of those
   * before it took pushes. Lazy: a caller that stops early has walked only that far.
   */
  *ownerIndices(key: ByteString, takesPushes: Uint8Array): Generator<number, undefined> {
    const points = this.#points;
    const seen = new Uint8Array(this.members.length);
    let unseen = seen.length;
    for (let i = this.#firstPointBeyond(murmur3(key)); unseen > 0; i = i + 2 === points.length ? 0 : i + 2) {
      const member = points[i] as number;
      if (seen[member] === 1) continue;
      seen[member] = 1;
      unseen--;
      if (takesPushes[member] !== 0) yield member;
    }
  }

  /** The position in `#points` of the first point whose hash is greater, or of the very first when there is none. */
  #firstPointBeyond(hash: number): number {
    const points = this.#points;
    let i = 2 * (this.#buckets[hash >>> this.#bucketShift] as number);
    while (i < points.length && (points[i + 1] as number) <= hash) i += 2;
    return i === points.length ? 0 : i;
  }
}

/** One or two points share a bucket on average, so a lookup reads a few neighbours where a binary search jumps a dozen times. */
function indexBuckets(points: Uint32Array, bucketBits: number): Uint32Array {
  const starts = new Uint32Array(2 ** bucketBits + 1);
  let bucket = 0;
  for (let i = 1; i < points.length; i += 2) {
    const last = (points[i] as number) >>> (32 - bucketBits);
    while (bucket < last) starts[++bucket] = i >>> 1;
  }
  starts.fill(points.length / 2, bucket + 1);
  return starts;
}

/** Fills in one member's points. Hashes `<node><member>` in place, because half a million strings would cost more than the sort. */
function placeVirtualNodes(member: ByteString, index: number, points: Uint32Array): void {
  const virtualNodes = points.length / 2;
  const name = new Uint8Array(String(virtualNodes).length + member.length);
  for (let digits = 1, node = 0; node < virtualNodes; digits++) {
    for (let i = 0; i < member.length; i++) name[digits + i] = member.charCodeAt(i);
    const end = Math.min(10 ** digits, virtualNodes);
    for (; node < end; node++) {
      writeDecimal(name, digits, node);
      points[2 * node] = index;
      points[2 * node + 1] = murmur3OfBytes(name, digits + member.length);
    }
  }
}

function writeDecimal(bytes: Uint8Array, digits: number, value: number): void {
  let rest = value;
  for (let i = digits - 1; i >= 0; i--) {
    bytes[i] = 48 + (rest % 10);
    rest = (rest / 10) | 0;
  }
}
