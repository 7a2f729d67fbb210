import type { ClockSample } from "../pushgateway/member-request.ts";

/** A member's time as this router would have read it off its own clock. */
export interface LocalTime {
  /** Unix time in seconds. */
  readonly seconds: number;
  /** The true value lies within so many seconds of `seconds`. */
  readonly uncertainty: number;
}

/** The earliest moment that the time can be, in milliseconds since the Unix epoch. */
export function earliestMs({ seconds, uncertainty }: LocalTime): number {
  return (seconds - uncertainty) * 1000;
}

/** The latest moment that the time can be, in milliseconds since the Unix epoch. */
export function latestMs({ seconds, uncertainty }: LocalTime): number {
  return (seconds + uncertainty) * 1000;
}

interface Offset {
  /** Bounds of what the member's clock is ahead, in seconds. */
  readonly low: number;
  readonly high: number;
  readonly at: number;
}

/** Clocks of machines that keep time by themselves drift apart by less than this: a second in three hours. */
const MAX_DRIFT = 100e-6;
/** Without a single sample a clock is taken to be right to so many seconds. */
const UNKNOWN_UNCERTAINTY_S = 5;

/**
 * How far the members' clocks are from ours. `push_time_seconds` is taken by the clock of the member that was pushed to, so
 * the times of two copies can only be compared after the difference of the clocks is taken out. A Date header has whole
 * seconds, but each sample bounds the difference from both sides, and a few of them at different moments leave little of it.
 */
export class MemberClocks {
  readonly #offsets = new Map<string, Offset>();

  add(address: string, { memberSeconds, sentAt, headAt }: ClockSample): void {
    const low = memberSeconds - headAt / 1000;
    const high = memberSeconds + 1 - sentAt / 1000;
    const known = this.#widened(address, headAt);
    const isConsistent = known !== undefined && known.low <= high && low <= known.high;
    // A clock that was set makes nonsense of all earlier samples.
    const offset = isConsistent ? { low: Math.max(low, known.low), high: Math.min(high, known.high) } : { low, high };
    this.#offsets.set(address, { ...offset, at: headAt });
  }

  /** `memberSeconds` is Unix time by the member's clock; `now` milliseconds by ours. */
  localTime(address: string, memberSeconds: number, now: number): LocalTime {
    const offset = this.#widened(address, now);
    if (offset === undefined) return { seconds: memberSeconds, uncertainty: UNKNOWN_UNCERTAINTY_S };
    const { low, high } = offset;
    return { seconds: memberSeconds - (low + high) / 2, uncertainty: (high - low) / 2 };
  }

  /** The latest that the member's clock can have shown at a moment of ours, in milliseconds; its time in seconds. */
  latestMemberSeconds(address: string, localMs: number): number {
    const high = this.#widened(address, Date.now())?.high ?? UNKNOWN_UNCERTAINTY_S;
    return localMs / 1000 + high;
  }

  /** Half the width of what is known, in seconds. */
  uncertainty(address: string, now: number): number {
    return this.localTime(address, 0, now).uncertainty;
  }

  retain(addresses: ReadonlySet<string>): void {
    for (const address of this.#offsets.keys()) if (!addresses.has(address)) this.#offsets.delete(address);
  }

  #widened(address: string, now: number): Offset | undefined {
    const offset = this.#offsets.get(address);
    if (offset === undefined) return undefined;
    const drift = (Math.abs(now - offset.at) / 1000) * MAX_DRIFT;
    return { low: offset.low - drift, high: offset.high + drift, at: now };
  }
}
