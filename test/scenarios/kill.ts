import { copyFile, rm } from "node:fs/promises";
import { startPushgateway } from "../support/pushgateway.ts";
import { type Copies, copiesAt } from "./copies.ts";
import type { Attempt, Family, Held } from "./group-ledger.ts";
import type { ScenarioMember } from "./scenario-member.ts";

/** A member killed without warning: what it had not written to its file yet died with it. */
export interface Kill {
  /** On the monotonic clock. */
  readonly at: number;
  /** What it held just before. */
  readonly held: Copies;
  /** What was in its file. */
  readonly written: Copies;
}

/**
 * Kills a member as a crash does, and has another Pushgateway say what is in the file that it left. Undefined: it had nothing that
 * was not on the disk.
 */
export async function killMember(member: ScenarioMember): Promise<Kill | undefined> {
  const held = await copiesAt([member]);
  const at = performance.now();
  member.kill("SIGKILL");
  await member.exited();
  if (member.persistenceFile === undefined) return undefined;
  const persistenceFile = `${member.persistenceFile}.copy`;
  await copyFile(member.persistenceFile, persistenceFile);
  await using reader = await startPushgateway({ persistenceFile });
  const written = await copiesAt([reader]);
  await reader.stop();
  await rm(persistenceFile);
  return { at, held, written };
}

/** Whether this request was answered by a member that was killed before it had written what came of it. */
export function wasUnwritten(kills: readonly Kill[], key: string, family: Family, request: Attempt): boolean {
  return kills.some(
    ({ at, held, written }) => request.startedAt <= at && valueIn(held, key, family) !== valueIn(written, key, family),
  );
}

/** Whether a member was killed before it had written this value. */
export function wasValueUnwritten(kills: readonly Kill[], key: string, family: Family, value: number): boolean {
  return kills.some(
    ({ held, written }) => valueIn(held, key, family) === value && valueIn(written, key, family) !== value,
  );
}

function valueIn(copies: Copies, key: string, family: Family): Held {
  return copies.get(key)?.[0]?.values[family];
}
