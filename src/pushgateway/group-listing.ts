import type { WorkSlices } from "../work-slices.ts";
import { type ListedGroup, readGroupJson } from "./group-json.ts";
import { ListingFormatError, ListingSplitter } from "./listing-splitter.ts";
import { type ClockSample, failure, type MemberAnswer, type MemberRequest, streamMember } from "./member-request.ts";

export interface ListingOptions extends Pick<MemberRequest, "timeoutMs" | "idleTimeoutMs" | "signal"> {
  readonly slices: WorkSlices;
}

/** What a whole listing was like. */
export interface ListingSummary {
  readonly groups: number;
  readonly bytes: number;
  readonly clock: ClockSample | undefined;
}

/**
 * Lists the groups of one member, each of them as its JSON comes in, and holds one of them at a time. `visit` may take its time
 * by returning a promise. Other work gets its turn at the end of each slice, however long the listing is.
 *
 * Only when it resolves have all groups been visited: a group that is missing in a listing has been deleted. It rejects with a
 * MemberRequestError when the answer is no listing, or not the whole of one, and with whatever `visit` throws.
 */
export async function listGroups(
  address: string,
  options: ListingOptions,
  visit: (group: ListedGroup) => void | Promise<void>,
): Promise<ListingSummary> {
  const { timeoutMs, idleTimeoutMs, signal, slices } = options;
  const request = { method: "GET", target: "/api/v1/metrics", timeoutMs, idleTimeoutMs, signal, onHead: checkType };
  const splitter = new ListingSplitter();
  let groups = 0;
  let bytes = 0;
  const visitAll = async () => {
    for (let json = splitter.next(); json !== undefined; json = splitter.next()) {
      groups++;
      const visiting = visit(readGroupJson(json, splitter.spans));
      if (visiting !== undefined) await visiting;
      if (slices.isOver) await slices.next();
    }
  };
  try {
    const { clock } = await streamMember(address, request, (chunk) => {
      bytes += chunk.length;
      splitter.push(chunk);
      return visitAll();
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
