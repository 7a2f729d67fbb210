import type { SampleLine } from "../../exposition/sample-line.ts";
import type { ByteString } from "../../sharding/byte-string.ts";
import { type GroupId, keyOfGroupId } from "../../sharding/group-id.ts";
import type { WorkSlices } from "../../work-slices.ts";
import { eachPushTime, exposedGroupId, type MemberText, PUSH_FAILURE_TIME, PUSH_TIME } from "./group-copies.ts";

/**
 * What becomes of a series of a member that has losing copies. `ambiguous`: its labels fit a losing group and another one, and
 * which of them it was pushed to does not show in them.
 */
export type Verdict = "keep" | "drop" | "ambiguous";

const JOB = Buffer.from("job");
const SEPARATOR = "\xff";

/** Label names, besides the job, that grouping keys have; sorted. */
type Shape = readonly ByteString[];

/**
 * Tells to which series of one member the losing copies have led. A series carries the labels of its group's key among its
 * own, so that it can only be of a group whose key is part of its labels.
 */
export class CopyFilter {
  readonly #losing: ReadonlySet<GroupId>;
  readonly #others: ReadonlySet<GroupId>;
  readonly #losingJobs: ReadonlySet<ByteString>;
  readonly #losingShapes: readonly Shape[];
  readonly #otherShapes: readonly Shape[];

  private constructor(losing: ReadonlySet<GroupId>, others: ReadonlySet<GroupId>) {
    this.#losing = losing;
    this.#others = others;
    this.#losingJobs = new Set(Array.from(losing, jobOf));
    this.#losingShapes = shapesOf(losing);
    this.#otherShapes = shapesOf(others);
  }

  /** `losing`: the groups whose copies in this text do not count. */
  static async of(text: MemberText, losing: ReadonlySet<GroupId>, slices: WorkSlices): Promise<CopyFilter> {
    const jobs = new Set(Array.from(losing, jobOf));
    const others = new Set<GroupId>();
    await eachPushTime(text, slices, (line) => {
      if (!jobs.has(line.valueOf(JOB) ?? "")) return;
      const id = exposedGroupId(line.labels());
      if (!losing.has(id)) others.add(id);
    });
    return new CopyFilter(losing, others);
  }

  /** Whether there can be ambiguous series at all. Groups with the same label names have no series in common. */
  get canBeAmbiguous(): boolean {
    return this.#otherShapes.some((other) => this.#losingShapes.some((losing) => !isSame(other, losing)));
  }

  verdict(family: ByteString, line: SampleLine): Verdict {
    const job = line.valueOf(JOB);
    if (job === undefined || !this.#losingJobs.has(job)) return "keep";
    const labels = line.labels();
    if (family === PUSH_TIME || family === PUSH_FAILURE_TIME) {
      return this.#losing.has(exposedGroupId(labels)) ? "drop" : "keep";
    }
    const fits = (groups: ReadonlySet<GroupId>) => (shape: Shape) => groups.has(projection(job, labels, shape));
    if (!this.#losingShapes.some(fits(this.#losing))) return "keep";
    return this.#otherShapes.some(fits(this.#others)) ? "ambiguous" : "drop";
  }

  /** The groups that count and that the labels of the series fit. */
  *countingGroups(line: SampleLine): Iterable<GroupId> {
    const job = line.valueOf(JOB) ?? "";
    const labels = line.labels();
    for (const shape of this.#otherShapes) {
      const id = projection(job, labels, shape);
      if (this.#others.has(id)) yield id;
    }
  }
}

function jobOf(id: GroupId): ByteString {
  const end = id.indexOf(SEPARATOR);
  return end === -1 ? id : id.slice(0, end);
}

function shapesOf(ids: Iterable<GroupId>): readonly Shape[] {
  const shapes = new Map<string, Shape>();
  for (const id of ids) {
    const names = keyOfGroupId(id).labels.map(({ name }) => name);
    shapes.set(names.join(SEPARATOR), names);
  }
  return [...shapes.values()];
}

function isSame(one: Shape, other: Shape): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index]);
}

/** The group of this shape that the labels fit; nobody's id when they lack a label. */
function projection(job: ByteString, labels: readonly ByteString[], shape: Shape): GroupId {
  let id = job;
  for (const name of shape) {
    let at = 0;
    while (at < labels.length && labels[at] !== name) at += 2;
    if (at === labels.length) return "";
    id += SEPARATOR + name + SEPARATOR + labels[at + 1];
  }
  return id;
}
