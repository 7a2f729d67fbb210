import { copyFile, rm } from "node:fs/promises";
import { startPushgateway } from "../support/pushgateway.ts";
import { type Copies, copiesAt } from "./copies.ts";
import { type Attempt, effectOn, type Family, type Held } from "./group-ledger.ts";
import type { ScenarioGroup } from "./scenario-group.ts";
import type { ScenarioMember } from "./scenario-member.ts";

/** A member killed without warning: what it had not written to its file yet died with it. */
export interface Kill {
  /** When the last look at it began, and when it was dead, some milliseconds later, on the monotonic clock. */
  readonly lookedAt: number;
  readonly diedAt: number;
  /** What that look found. */
  readonly held: Copies;
  /** What was in its file. */
  readonly written: Copies;
}

/**
 * Kills a member as a crash does, and has another Pushgateway say what is in the file that it left. Undefined: it had nothing that
 * was not on the disk.
 */
export async function killMember(member: ScenarioMember): Promise<Kill | undefined> {
  const lookedAt = performance.now();
  const held = await copiesAt([member]);
  member.kill("SIGKILL");
  await member.exited();
  const diedAt = performance.now();
  if (member.persistenceFile === undefined) return undefined;
  const persistenceFile = `${member.persistenceFile}.copy`;
  await copyFile(member.persistenceFile, persistenceFile);
  await using reader = await startPushgateway({ persistenceFile });
  const written = await copiesAt([reader]);
  await reader.stop();
  await rm(persistenceFile);
  return { lookedAt, diedAt, held, written };
}

/** Whether this request was answered by a member that was killed before it had written what came of it. */
export function wasUnwritten(kills: readonly Kill[], key: string, family: Family, request: Attempt): boolean {
  const effect = effectOn(family, request);
  return kills.some((kill) => {
    const written = valueIn(kill.written, key, family);
    const wasLast = effect !== "none" && effect.held !== written && wasMeanwhile(kill, request);
    return request.startedAt <= kill.diedAt && (wasLast || valueIn(kill.held, key, family) !== written);
  });
}

/** Whether a member was killed before it had written this value. */
export function wasValueUnwritten(
  kills: readonly Kill[],
  { key, attempts }: ScenarioGroup,
  family: Family,
  value: number,
): boolean {
  const request = attempts.find((attempt) => attempt.family === family && attempt.value === value);
  return kills.some((kill) => {
    const wasHeld = valueIn(kill.held, key, family) === value || (request !== undefined && wasMeanwhile(kill, request));
    return wasHeld && valueIn(kill.written, key, family) !== value;
  });
}

/** Whether the request was under way between the last look at the member and its death. */
function wasMeanwhile({ lookedAt, diedAt }: Kill, { startedAt, endedAt }: Attempt): boolean {
  return endedAt >= lookedAt && startedAt <= diedAt;
}

function valueIn(copies: Copies, key: string, family: Family): Held {
  return copies.get(key)?.[0]?.values[family];
}
