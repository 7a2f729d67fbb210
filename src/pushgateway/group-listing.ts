import { type ListedGroup, readGroupJson } from "./group-json.ts";
import { ListingFormatError, ListingSplitter } from "./listing-splitter.ts";
import { type ClockSample, failure, type MemberAnswer, type MemberRequest, streamMember } from "./member-request.ts";
import { takeTurns } from "./turns.ts";

export type ListingOptions = Pick<MemberRequest, "timeoutMs" | "idleTimeoutMs" | "signal">;

/** What a whole listing was like. */
export interface ListingSummary {
  readonly groups: number;
  readonly bytes: number;
  readonly clock: ClockSample | undefined;
}

/**
 * Lists the groups of one member, each of them as its JSON comes in, and holds one of them at a time. `visit` may take its time
 * by returning a promise. Other work gets its turn every few milliseconds, however long the listing is.
 *
 * Only when it resolves have all groups been visited: a group that is missing in a listing has been deleted. It rejects with a
 * MemberRequestError when the answer is no listing, or not the whole of one, and with whatever `visit` throws.
 */
export async function listGroups(
  address: string,
  options: ListingOptions,
  visit: (group: ListedGroup) => void | Promise<void>,
): Promise<ListingSummary> {
  const { timeoutMs, idleTimeoutMs, signal } = options;
  const request = { method: "GET", target: "/api/v1/metrics", timeoutMs, idleTimeoutMs, signal, onHead: checkType };
  const splitter = new ListingSplitter();
  let groups = 0;
  let bytes = 0;
  const visitNext = (): boolean | Promise<void> => {
    const json = splitter.next();
    if (json === undefined) return false;
    groups++;
    return visit(readGroupJson(json, splitter.spans)) ?? true;
  };
  try {
    const { clock } = await streamMember(address, request, (chunk) => {
      bytes += chunk.length;
      splitter.push(chunk);
      return takeTurns(visitNext);
    });
    splitter.finish();
    return { groups, bytes, clock };
  } catch (error) {
    if (!(error instanceof ListingFormatError)) throw error;
    throw failure("malformed", address, request, `does not list its groups: ${error.message}`, 200, error);
  }
}

/** A 200 from something that is no Pushgateway. */
function checkType({ fields }: MemberAnswer): void {
  const type = fields.get("content-type") ?? "";
  if (!/^application\/json\b/i.test(type)) throw new ListingFormatError(`its answer is ${type || "untyped"}, not JSON`);
}
