import { HashRing } from "../sharding/hash-ring.ts";
import { murmur3 } from "../sharding/murmur3.ts";
import type { Member, MemberState } from "./member.ts";

/**
 * All members at one moment and the ring over them. Immutable: whoever holds one can route a whole push by it, whatever
 * happens meanwhile. The ring holds every known member, and those that take no pushes are skipped at lookup, so a
 * change of state moves exactly the keys of that member and builds nothing.
 */
export class MemberSet {
  /** Sorted by address. The index of a member here is its index on the ring. */
  readonly members: readonly Member[];
  readonly ring: HashRing;
  /**
   * Whether more than half of the members that were not asked to leave look down. Then the fault is more likely ours
   * than theirs, and the ones that look down go on taking pushes: a real error beats a useless 503.
   */
  readonly panic: boolean;
  /**
   * A number over the addresses that take pushes, 0 to 2^32 - 1. Routers that show the same number agree on every
   * owner; different ones for longer than a moment are worth an alert.
   */
  readonly fingerprint: number;
  /** Whether members are away, or on their way back, that own groups when they are in service. */
  readonly hasAbsentees: boolean;
  /** By index; 0 passes a member over. */
  readonly #takesPushes: Uint8Array;

  private constructor(members: readonly Member[], ring: HashRing) {
    this.members = members;
    this.ring = ring;
    this.panic = isPanic(members);
    this.hasAbsentees = members.some(isAbsent);
    const takesPushes = pushPolicy(members, this.panic);
    this.#takesPushes = Uint8Array.from(members, (member) => Number(takesPushes(member)));
    const takers = members.filter(takesPushes);
    this.fingerprint = murmur3(takers.map(({ address }) => address).join("\n"));
  }

  /**
   * Takes members with distinct addresses, in any order. Keeps the ring of the previous set when the addresses are the
   * same.
   */
  static of(members: Iterable<Member>, previous?: MemberSet): MemberSet {
    const sorted = [...members].sort((a, b) => (a.address < b.address ? -1 : 1));
    const isSameRing =
      previous?.members.length === sorted.length &&
      sorted.every(({ address }, index) => previous.members[index]?.address === address);
    return new MemberSet(sorted, isSameRing ? previous.ring : HashRing.build(sorted.map(({ address }) => address)));
  }

  has(address: string): boolean {
    return this.get(address) !== undefined;
  }

  /** Undefined when there is no such member. */
  get(address: string): Member | undefined {
    return this.members.find((member) => member.address === address);
  }

  /** Undefined when there is no such member. */
  stateOf(address: string): MemberState | undefined {
    return this.get(address)?.state;
  }

  /** Whether there is such a member and it does not look down, so that it can be asked. Without regard to a panic. */
  isWithinReach(address: string): boolean {
    return (this.stateOf(address) ?? "down") !== "down";
  }

  /** Addresses of the members that do not look down. */
  get withinReach(): readonly string[] {
    return this.members.flatMap(({ address, state }) => (state === "down" ? [] : [address]));
  }

  /** Whether the member with this index is an owner now. */
  takesPushes(index: number): boolean {
    return this.#takesPushes[index] === 1;
  }

  /** The member that the group with this canonical path belongs to. Undefined when no member takes pushes. */
  ownerOf(canonicalPath: string): Member | undefined {
    return this.members[this.ring.ownerIndex(canonicalPath, this.#takesPushes)];
  }

  /** Addresses of the absentees that come before this member on the group's way round the ring: who may have owned it before. */
  *absenteesBefore(address: string, canonicalPath: string): Iterable<string> {
    if (!this.hasAbsentees) return;
    const everybody = new Uint8Array(this.members.length).fill(1);
    for (const index of this.ring.ownerIndices(canonicalPath, everybody)) {
      const member = this.members[index];
      if (member === undefined || member.address === address) return;
      if (isAbsent(member)) yield member.address;
    }
  }

  /** The owner, then the members that become owner when those before them are gone. */
  *ownersOf(canonicalPath: string): Iterable<Member> {
    for (const index of this.ring.ownerIndices(canonicalPath, this.#takesPushes)) {
      const member = this.members[index];
      if (member !== undefined) yield member;
    }
  }
}

function isAbsent({ state, draining }: Member): boolean {
  return !draining && (state === "down" || state === "joining");
}

function isPanic(members: readonly Member[]): boolean {
  const staying = members.filter(({ draining }) => !draining);
  const down = staying.filter(({ state }) => state === "down");
  return down.length * 2 > staying.length;
}

/**
 * Who takes pushes: the active ones, in a panic those that look down, too, and those on their way back only as long as
 * nobody is active. Draining ones never.
 */
function pushPolicy(members: readonly Member[], panic: boolean): (member: Member) => boolean {
  const isAnyActive = members.some(({ state }) => state === "active");
  return ({ state, draining }) => {
    if (draining) return false;
    if (state === "down") return panic;
    return state === "active" || !isAnyActive;
  };
}
