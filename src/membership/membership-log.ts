import type { Logger } from "../log.ts";
import type { Member } from "./member.ts";
import type { MemberSet } from "./member-set.ts";

/**
 * Tells an operator what became different between two sets: members that came and went, states, and the panic
 * threshold.
 */
export function logChange(log: Logger, next: MemberSet, previous: MemberSet | undefined): void {
  const before = new Map(previous?.members.map((member) => [member.address, member]));
  if (previous === undefined) logFirst(log, next);
  else if (previous.ring !== next.ring) logReshard(log, next, before);
  for (const member of next.members) {
    const known = before.get(member.address);
    if (known?.state !== member.state) logState(log, member, known);
  }
  logPanic(log, next.panic, previous?.panic ?? false);
  logTakers(log, next, previous);
}

function logFirst(log: Logger, next: MemberSet): void {
  const active = next.members.filter(({ state }) => state === "active").length;
  log.info("Members are known", { members: next.members.length, active });
}

function logReshard(log: Logger, next: MemberSet, before: ReadonlyMap<string, Member>): void {
  const added = next.members.filter(({ address }) => !before.has(address)).length;
  log.info("Resharded", {
    members: next.members.length,
    added,
    removed: before.size - (next.members.length - added),
  });
}

function logState(log: Logger, { address, state, reason }: Member, known: Member | undefined): void {
  const fields = { member: address, reason };
  if (state === "down") log.warn("Member is down, its keys go to the next ones until it is back", fields);
  else if (state === "draining") log.info("Member is draining, its keys go to the next ones", fields);
  else if (state === "joining") log.info("Member is up again, its keys come back once it has proved itself", fields);
  else if (known === undefined) log.debug("Member is active", fields);
  else log.info("Member is active again", fields);
}

function logPanic(log: Logger, isPanic: boolean, wasPanic: boolean): void {
  if (isPanic && !wasPanic) {
    log.warn("More than half of the members look down, so pushes go on to them: suspect the network of this router");
  }
  if (wasPanic && !isPanic) log.info("Half of the members or more are up again, so pushes avoid those that look down");
}

function logTakers(log: Logger, next: MemberSet, previous: MemberSet | undefined): void {
  const hasTakers = canTakePushes(next);
  if (!hasTakers && (previous === undefined || canTakePushes(previous))) {
    log.error("No member takes pushes, so pushes are answered 503: all are draining, or there are none");
  }
}

function canTakePushes(set: MemberSet): boolean {
  return set.members.some((_, index) => set.takesPushes(index));
}
