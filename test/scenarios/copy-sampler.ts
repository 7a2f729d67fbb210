import { type Copies, type Copy, copiesAt, describeCopies } from "./copies.ts";
import type { ScenarioGroup } from "./scenario-group.ts";
import type { ScenarioMember } from "./scenario-member.ts";
import { type Setback, SetbackWatch } from "./setback-watch.ts";

/** Between the ends and the beginnings of two looks. */
const PAUSE_MS = 200;
/** A member that does not answer so long is out of reach, as it is for a scrape. */
const LOOK_DEADLINE_MS = 1_000;
/** Changes remembered for each group. */
const KEPT_CHANGES = 200;

interface Track {
  /** When the last look began that found at most one copy in sight, on the monotonic clock. */
  singleAt: number;
  /** Whether the last look found more. */
  isDoubled: boolean;
  last: string;
  readonly changes: { readonly at: number; readonly seen: string }[];
}

export interface SamplerOptions {
  /** Those to be watched for setbacks. */
  readonly groups: readonly ScenarioGroup[];
  /** Members to look at; one that does not answer is passed over. */
  readonly members: () => readonly ScenarioMember[];
  /** Addresses that Prometheus scrapes: copies elsewhere are out of sight. */
  readonly scraped: () => Promise<ReadonlySet<string>>;
}

interface LongestDouble {
  readonly milliseconds: number;
  /** Empty: there was none. */
  readonly key: string;
  /** When two copies were last seen, on the monotonic clock. */
  readonly endedAt: number;
}

/** What was seen of a group from then on. */
export interface Change {
  readonly atSeconds: number;
  readonly seen: string;
}

export function describeChange({ atSeconds, seen }: Change): string {
  return `    ${atSeconds.toFixed(1)} s: ${seen}`;
}

/** Looks again and again at all members, as a scrape does: how long a second copy is in sight, and which way each group went. */
export class CopySampler implements AsyncDisposable {
  readonly #options: SamplerOptions;
  readonly #tracks = new Map<string, Track>();
  readonly #doubled = new Set<string>();
  #longest: LongestDouble = { milliseconds: 0, key: "", endedAt: 0 };
  #moves = 0;
  readonly #watch = new SetbackWatch();
  readonly #lastHolder = new Map<string, string>();
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  looks = 0;

  constructor(options: SamplerOptions) {
    this.#options = options;
  }

  /** The longest time for which a group had two copies in sight at most, and which one. It may be two looks and pauses too long. */
  get longest(): LongestDouble {
    return this.#longest;
  }

  /** Groups that had two copies in sight at some time. */
  get doubledOnce(): number {
    return this.#doubled.size;
  }

  /** How often a group's only copy was at another member than before. */
  get moves(): number {
    return this.#moves;
  }

  /** What later pushes may have hidden. */
  get setbacks(): readonly Setback[] {
    return this.#watch.setbacks;
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** The way of a group: what was where, whenever it had changed. Times are seconds since `startedAt`. */
  history(key: string, startedAt: number): readonly Change[] {
    const changes = this.#tracks.get(key)?.changes ?? [];
    return changes.map(({ at, seen }) => ({ atSeconds: (at - startedAt) / 1_000, seen }));
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#look();
      await Bun.sleep(PAUSE_MS);
    }
  }

  async #look(): Promise<void> {
    const at = performance.now();
    const members = this.#options.members();
    const [scraped, lists] = await Promise.all([
      this.#options.scraped().catch(() => new Set<string>()),
      Promise.all(members.map((member) => copiesAt([member], LOOK_DEADLINE_MS).catch(() => undefined))),
    ]);
    const reached = new Set(members.flatMap(({ address }, index) => (lists[index] === undefined ? [] : [address])));
    const groups = new Map(this.#options.groups.map((group) => [group.key, group]));
    const found = joinCopies(lists.filter((list) => list !== undefined));
    for (const key of new Set([...found.keys(), ...this.#tracks.keys()])) {
      const copies = found.get(key) ?? [];
      this.#note(key, copies, scraped, at);
      const group = groups.get(key);
      if (group !== undefined) this.#watch.note({ group, copies, reached, at });
    }
    this.looks++;
  }

  #note(key: string, copies: readonly Copy[], scraped: ReadonlySet<string>, at: number): void {
    const track = this.#tracks.get(key) ?? { singleAt: at, isDoubled: false, last: "", changes: [] };
    this.#tracks.set(key, track);
    const seen = describeCopies(copies);
    if (seen !== track.last) {
      track.last = seen;
      track.changes.push({ at, seen });
      if (track.changes.length > KEPT_CHANGES) track.changes.shift();
    }
    const inSight = copies.filter(({ address }) => scraped.has(address));
    this.#noteMove(key, copies);
    const isDoubled = inSight.length > 1;
    if (isDoubled) this.#doubled.add(key);
    if (isDoubled || track.isDoubled) this.#noteDouble(key, track.singleAt, performance.now());
    track.isDoubled = isDoubled;
    if (!isDoubled) track.singleAt = at;
  }

  #noteDouble(key: string, since: number, until: number): void {
    const milliseconds = until - since;
    if (milliseconds > this.#longest.milliseconds) this.#longest = { milliseconds, key, endedAt: until };
  }

  #noteMove(key: string, copies: readonly Copy[]): void {
    const [only, ...others] = copies;
    if (only === undefined || others.length > 0) return;
    const last = this.#lastHolder.get(key);
    if (last !== undefined && last !== only.address) this.#moves++;
    this.#lastHolder.set(key, only.address);
  }
}

function joinCopies(lists: readonly Copies[]): Copies {
  const joined = new Map<string, Copy[]>();
  for (const list of lists) {
    for (const [key, copies] of list) joined.set(key, [...(joined.get(key) ?? []), ...copies]);
  }
  return joined;
}
