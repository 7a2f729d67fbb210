import type { Target } from "./discovery/discoverer.ts";
import type { Member } from "./member.ts";
import { TrackedMember, type TrackedMemberContext } from "./tracked-member.ts";

/**
 * The members that discovery reported, each one tracked. They come and go together: a changed list takes effect once
 * all newcomers have passed or failed their first check, which is bounded by the deadline of a check. So one change of
 * the list is one reshard, and a member that is replaced hands its keys straight to its successor.
 */
export class Roster {
  readonly #context: TrackedMemberContext;
  readonly #changed: () => void;
  readonly #tracked = new Map<string, TrackedMember>();
  /** What discovery reported last. Undefined until then. */
  #reported: ReadonlySet<string> | undefined;
  /** The addresses in effect. Undefined until the first list is complete. */
  #listed: readonly string[] | undefined;
  #isTaking = false;

  /** Calls `changed` after `members` may have become another list. */
  constructor(context: TrackedMemberContext, changed: () => void) {
    this.#context = context;
    this.#changed = changed;
  }

  /** The members in effect. Undefined until the first list is complete. */
  get members(): readonly Member[] | undefined {
    return this.#listed?.flatMap((address) => this.#tracked.get(address)?.member ?? []);
  }

  /** What discovery reported last. */
  get targets(): readonly Target[] {
    return [...(this.#reported ?? [])].flatMap((address) => this.#tracked.get(address)?.target ?? []);
  }

  /** Takes over what discovery reports. Targets that are not in it leave. */
  take(targets: readonly Target[]): void {
    this.#reported = new Set(targets.map(({ address }) => address));
    this.#isTaking = true;
    for (const target of targets) this.#track(target).retarget(target);
    this.#isTaking = false;
    this.#settle();
  }

  /** Takes a member out at once. An unknown address is ignored: it may have left since. */
  condemn(address: string, reason: string, isSilent: boolean): void {
    this.#tracked.get(address)?.condemn(reason, isSilent);
  }

  /** Ends all checks. Nothing changes any more. */
  stop(): void {
    for (const tracked of this.#tracked.values()) tracked.stop();
    this.#tracked.clear();
    this.#reported = undefined;
    this.#listed = undefined;
  }

  #track(target: Target): TrackedMember {
    const known = this.#tracked.get(target.address);
    if (known !== undefined) return known;
    const isNewcomer = this.#listed !== undefined;
    const tracked = new TrackedMember(target, this.#context, isNewcomer, () => this.#settle());
    this.#tracked.set(target.address, tracked);
    return tracked;
  }

  #settle(): void {
    const reported = this.#reported;
    if (reported === undefined || this.#isTaking) return;
    const isComplete = [...reported].every((address) => this.#tracked.get(address)?.member !== undefined);
    if (isComplete) {
      this.#dropAllBut(reported);
      this.#listed = [...reported];
    }
    if (this.#listed !== undefined) this.#changed();
  }

  #dropAllBut(reported: ReadonlySet<string>): void {
    for (const [address, tracked] of this.#tracked) {
      if (reported.has(address)) continue;
      tracked.stop();
      this.#tracked.delete(address);
    }
  }
}
