import type { MemberSet } from "../membership/member-set.ts";
import type { ListedGroup } from "../pushgateway/group-json.ts";
import type { GroupId } from "../sharding/group-id.ts";
import { murmur3 } from "../sharding/murmur3.ts";
import type { WorkSlices } from "../work-slices.ts";
import type { ClusterLister } from "./cluster-lister.ts";
import { type Directory, isDeletion } from "./directory.ts";
import { type ExpiryContext, reasonToGo } from "./expiry.ts";
import type { PlacementSurroundings } from "./placement-surroundings.ts";
import { settledAt } from "./thaws.ts";

export interface AuditContext
  extends Pick<PlacementSurroundings, "members" | "observer">,
    Pick<ExpiryContext, "options" | "wipedAt"> {
  readonly directory: Directory;
  readonly lister: ClusterLister;
  readonly slices: WorkSlices;
}

/** What one look at all members brought. */
export interface AuditResult {
  /** When the look began, in milliseconds by this router's clock. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** Groups held, by member. Those that could not be listed are missing. */
  readonly groups: ReadonlyMap<string, number>;
  /** Groups of which several copies may be visible. */
  readonly suspects: ReadonlySet<GroupId>;
  /** Members that hold groups whose time to live is over, or that were wiped while the member was out of reach. */
  readonly expiring: ReadonlySet<string>;
}

/** So long is remembered what members hold that are members no more: one that is replaced comes back under its name. */
const LEFT_MEMBER_MEMORY_MS = 3_600_000;

/**
 * Looks at the groups of all members within reach and brings the directory up to date. Memory: what is misplaced, and for
 * the time of the audit four bytes or so for each other group.
 */
export async function audit(context: AuditContext, set: MemberSet, signal: AbortSignal): Promise<AuditResult> {
  const { lister, observer } = context;
  const startedAt = Date.now();
  const pass = new AuditPass(context, set, startedAt);
  const reachable = set.withinReach;
  const unreadable = await lister.listAll(reachable, (address, group) => pass.visit(address, group), signal);
  const result = await pass.finish(reachable.filter((address) => !unreadable.has(address)));
  const durationMs = Date.now() - startedAt;
  observer.audited(durationMs / 1000, unreadable.size);
  return { ...result, durationMs };
}

class AuditPass {
  readonly #context: AuditContext;
  readonly #directory: Directory;
  readonly #set: MemberSet;
  readonly #startedAt: number;
  readonly #groups = new Map<string, number>();
  readonly #expiring = new Set<string>();
  /** Hashes of the groups that are where they belong. Two that share one cost a second look and nothing else. */
  readonly #atHome = new Set<number>();

  constructor(context: AuditContext, set: MemberSet, startedAt: number) {
    this.#context = context;
    this.#directory = context.directory;
    this.#set = set;
    this.#startedAt = startedAt;
  }

  visit(address: string, group: ListedGroup): void {
    this.#groups.set(address, (this.#groups.get(address) ?? 0) + 1);
    const { id, key } = group;
    if (this.#set.ownerOf(key.canonicalPath)?.address === address) this.#atHome.add(murmur3(id));
    else this.#directory.seen(id, address, this.#startedAt);
    if (!this.#expiring.has(address) && reasonToGo(this.#context, address, group, this.#startedAt) !== undefined) {
      this.#expiring.add(address);
    }
  }

  /** `listed`: the members whose groups have all been visited. */
  async finish(listed: readonly string[]): Promise<Omit<AuditResult, "durationMs">> {
    for (const address of listed) if (!this.#groups.has(address)) this.#groups.set(address, 0);
    const isListed = new Set(listed);
    const suspects = new Set<GroupId>();
    await this.#context.slices.visit(this.#directory.entries(), ([id]) => {
      const isAtHome = this.#atHome.has(murmur3(id));
      this.#forgetAbsent(id, isAtHome, isListed);
      if (this.#isSuspect(id, isAtHome)) suspects.add(id);
    });
    const groups = new Map([...this.#groups].filter(([address]) => isListed.has(address)));
    return { startedAt: this.#startedAt, groups, suspects, expiring: this.#expiring };
  }

  #forgetAbsent(id: GroupId, isAtHome: boolean, isListed: ReadonlySet<string>): void {
    for (const { address, since, doubtedAt } of this.#directory.get(id)?.holders ?? []) {
      if (doubtedAt !== undefined && this.#startedAt > settledAt(this.#set, address, doubtedAt))
        this.#directory.undoubted(id, address);
      const wasListed = isListed.has(address) && since < this.#startedAt && doubtedAt === undefined;
      const hasLeft = !this.#set.has(address) && since < this.#startedAt - LEFT_MEMBER_MEMORY_MS;
      if ((wasListed && !isAtHome) || hasLeft) this.#directory.forget(id, address);
    }
  }

  #isSuspect(id: GroupId, isAtHome: boolean): boolean {
    const entry = this.#directory.get(id);
    if (entry === undefined) return false;
    const isDeleted = isDeletion(entry.truth);
    const within = entry.holders.filter(({ address }) => this.#groups.has(address)).length;
    return isDeleted ? within > 0 : within > 1 || (within > 0 && isAtHome);
  }
}
