import type { MemberSet } from "../../membership/member-set.ts";
import { requestMember } from "../../pushgateway/member-request.ts";
import { type AskedMember, allMembers } from "./asked-members.ts";

/** What a member says of itself, or why it says nothing. */
export interface MemberStatus {
  readonly address: string;
  readonly version: string | null;
  readonly startTime: string | null;
  /** The command line, by flag. */
  readonly flags: Readonly<Record<string, string>>;
  readonly error: Error | undefined;
}

const STATUS_TIMEOUT_MS = 3_000;
const MAX_STATUS_BYTES = 1_048_576;

/** Asks all members what they are, in the order of addresses. Never rejects. */
export async function readMemberStatuses(set: MemberSet): Promise<readonly MemberStatus[]> {
  return await Promise.all(allMembers(set, STATUS_TIMEOUT_MS).map(readMemberStatus));
}

async function readMemberStatus({ address, timeoutMs }: AskedMember): Promise<MemberStatus> {
  try {
    const request = { method: "GET", target: "/api/v1/status", timeoutMs, maxBodyBytes: MAX_STATUS_BYTES };
    const { status, body } = await requestMember(address, request);
    if (status !== 200) throw new Error(`Cannot GET /api/v1/status at ${address}: it answers ${status}`);
    const { data = {} } = JSON.parse(body.toString()) as StatusAnswer;
    return {
      address,
      version: data.build_information?.version ?? null,
      startTime: data.start_time ?? null,
      flags: data.flags ?? {},
      error: undefined,
    };
  } catch (error) {
    return { address, version: null, startTime: null, flags: {}, error: error as Error };
  }
}

interface StatusAnswer {
  readonly data?: {
    readonly build_information?: { readonly version?: string };
    readonly flags?: Readonly<Record<string, string>>;
    readonly start_time?: string;
  };
}

/** Flags that say where a member is, and in which members differ for that reason. */
const OWN_FLAGS = new Set(["web.listen-address", "persistence.file", "web.external-url"]);

/** A value, null for none, and the members that have it. */
interface Opinion {
  readonly value: string | null;
  readonly members: readonly string[];
}

/** In what members differ that should be the same everywhere; empty when they agree. */
export interface Disagreements {
  readonly version?: readonly Opinion[];
  readonly flags: Readonly<Record<string, readonly Opinion[]>>;
}

/** Compares those that have answered. */
export function compareMembers(statuses: readonly MemberStatus[]): {
  /** Flags that are the same everywhere. */
  readonly agreed: Readonly<Record<string, string>>;
  readonly disagreements: Disagreements;
} {
  const known = statuses.filter(({ error }) => error === undefined);
  const agreed: Record<string, string> = {};
  const flags: Record<string, readonly Opinion[]> = {};
  for (const name of [...new Set(known.flatMap(({ flags }) => Object.keys(flags)))].sort()) {
    const opinions = opinionsOf(known, (status) => status.flags[name] ?? null);
    const [first] = opinions;
    if (opinions.length === 1 && first?.value != null) agreed[name] = first.value;
    else if (!OWN_FLAGS.has(name)) flags[name] = opinions;
  }
  const versions = opinionsOf(known, ({ version }) => version);
  return { agreed, disagreements: { ...(versions.length > 1 && { version: versions }), flags } };
}

function opinionsOf(
  statuses: readonly MemberStatus[],
  pick: (status: MemberStatus) => string | null,
): readonly Opinion[] {
  const members = new Map<string | null, string[]>();
  for (const status of statuses) {
    const value = pick(status);
    members.set(value, [...(members.get(value) ?? []), status.address]);
  }
  return [...members].map(([value, addresses]) => ({ value, members: addresses }));
}
