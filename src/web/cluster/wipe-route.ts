import type { HttpExchange } from "../../http/server-exchange.ts";
import type { Logger } from "../../log.ts";
import { type MemberRequestError, requestMember } from "../../pushgateway/member-request.ts";
import { missingMembersHeader, NOT_READY, RETRY_SOON } from "../json-answer.ts";
import type { Route } from "../web-handler.ts";
import type { ClusterParts } from "./cluster-parts.ts";
import { readMemberStatuses } from "./cluster-status.ts";

/**
 * Told of a wipe that members have taken: when it began, in milliseconds since 1970, and the addresses of members out of reach,
 * whose groups of before that are to go when they return.
 */
export type OnWiped = (time: number, unreachable: readonly string[]) => void;

export interface WipeParts extends Pick<ClusterParts, "members"> {
  readonly onWiped: OnWiped;
  readonly log: Logger;
}

/** A stock Pushgateway answers when it has queued the deletion of all its groups, one of ours when they are gone. */
const WIPE_TIMEOUT_MS = 30_000;
const ADMIN_API = "web.enable-admin-api";

/** What became of the wipe at one member. `closed`: its admin API is off. */
interface Outcome {
  readonly address: string;
  readonly result: "wiped" | "closed" | "unreachable" | "failed";
  readonly detail: string;
}

/**
 * PUT /api/v1/admin/wipe: wipes all members that can be reached. Where one of them does not allow it, none is wiped: half a wipe
 * is worse than none.
 */
export function wipeRoute(parts: WipeParts): Route {
  return async (exchange) => {
    const set = parts.members();
    if (set === undefined) {
      exchange.respondText(503, `${NOT_READY}\n`, RETRY_SOON);
      return;
    }
    const statuses = await readMemberStatuses(set);
    const closed = statuses.filter(({ flags }) => flags[ADMIN_API] === "false").map(({ address }) => address);
    if (closed.length > 0) {
      exchange.respondText(404, `No member is wiped: ${closedText(closed)}`);
      return;
    }
    const time = Date.now();
    const reachable = statuses.filter(({ error }) => error === undefined).map(({ address }) => address);
    const outcomes = await Promise.all(reachable.map(wipe));
    const unreachable = [
      ...statuses.filter(({ error }) => error !== undefined).map(({ address }) => address),
      ...addressesOf(outcomes, "unreachable"),
    ].sort();
    const wiped = addressesOf(outcomes, "wiped");
    if (wiped.length > 0) parts.onWiped(time, unreachable);
    parts.log.info("Wiped all groups", { members: wiped.join(","), unreachable: unreachable.join(",") });
    answer(exchange, outcomes, unreachable);
  };
}

async function wipe(address: string): Promise<Outcome> {
  try {
    const request = { method: "PUT", target: "/api/v1/admin/wipe", timeoutMs: WIPE_TIMEOUT_MS };
    const { status } = await requestMember(address, request);
    const result = status === 202 ? "wiped" : status === 404 ? "closed" : "failed";
    return { address, result, detail: `${address} answers ${status}` };
  } catch (error) {
    return { address, result: "unreachable", detail: (error as MemberRequestError).message };
  }
}

function addressesOf(outcomes: readonly Outcome[], wanted: Outcome["result"]): readonly string[] {
  return outcomes.filter(({ result }) => result === wanted).map(({ address }) => address);
}

function answer(exchange: HttpExchange, outcomes: readonly Outcome[], unreachable: readonly string[]): void {
  const header = missingMembersHeader(unreachable);
  const wiped = addressesOf(outcomes, "wiped");
  const closed = addressesOf(outcomes, "closed");
  const failed = outcomes.filter(({ result }) => result === "failed");
  const done = wiped.length === 0 ? "No member is wiped" : `Wiped: ${wiped.join(", ")}`;
  if (closed.length > 0) exchange.respondText(404, `${done}; ${closedText(closed)}`, header);
  else if (failed.length > 0) {
    exchange.respondText(502, `${done}; ${failed.map(({ detail }) => detail).join("; ")}\n`, header);
  } else if (wiped.length === 0) exchange.respondText(503, "No member is wiped: none can be reached\n", header);
  else exchange.respond(202, header, "");
}

function closedText(addresses: readonly string[]): string {
  return `start with --${ADMIN_API}: ${addresses.join(", ")}\n`;
}
