import type { Metric, MetricFamily } from "../exposition/model.ts";
import { ProtobufFormatError, parseDelimited } from "../exposition/protobuf-decoder.ts";
import { type GroupId, keyOfGroupId } from "../sharding/group-id.ts";
import { isLegacyLabelName } from "../sharding/label-name.ts";
import type { ContentFamily, GroupContents } from "./group-contents.ts";
import { groupTarget } from "./groups-api.ts";
import { failure, type MemberRequest, requestMember } from "./member-request.ts";

/** Of more, a listing is the shorter way. */
const MAX_GROUPS = 256;
const MAX_REQUESTS = 4;
const MAX_BODY_BYTES = 268_435_456;
const PROTOBUF = "application/vnd.google.protobuf";
const ACCEPT = `${PROTOBUF};proto=io.prometheus.client.MetricFamily;encoding=delimited`;

/**
 * Reads groups one by one, as members can that speak the groups API; undefined when the member shows that it does not, or the groups are
 * too many. Groups that are not there are missing in the result.
 *
 * @throws MemberRequestError when the member does not answer.
 */
export async function readSingleGroups(
  address: string,
  ids: ReadonlySet<GroupId>,
  options: Pick<MemberRequest, "timeoutMs" | "signal">,
): Promise<ReadonlyMap<GroupId, GroupContents> | undefined> {
  if (ids.size > MAX_GROUPS || ![...ids].every(hasPlainNames)) return undefined;
  const left = [...ids];
  const contents = new Map<GroupId, GroupContents>();
  const readNext = async (): Promise<boolean> => {
    const id = left.shift();
    if (id === undefined) return false;
    const read = await readSingleGroup(address, id, options);
    if (read === "not spoken") throw new NotSpokenError();
    if (read !== undefined) contents.set(id, read);
    return true;
  };
  const readOn = async () => {
    while (await readNext()) {}
  };
  try {
    // The first alone: many a member has never heard of this API.
    await readNext();
    await Promise.all(Array.from({ length: MAX_REQUESTS }, readOn));
    return contents;
  } catch (error) {
    if (error instanceof NotSpokenError) return undefined;
    throw error;
  }
}

class NotSpokenError extends Error {
  override readonly name = "NotSpokenError";
}

/** Whether the path of the group is the same with and without --push.enable-utf8-names. */
function hasPlainNames(id: GroupId): boolean {
  return keyOfGroupId(id).labels.every(({ name }) => isLegacyLabelName(name) && !name.startsWith("U__"));
}

async function readSingleGroup(
  address: string,
  id: GroupId,
  options: Pick<MemberRequest, "timeoutMs" | "signal">,
): Promise<GroupContents | undefined | "not spoken"> {
  const target = groupTarget(keyOfGroupId(id), { utf8Names: false });
  const request = { method: "GET", target, headers: ["Accept", ACCEPT], maxBodyBytes: MAX_BODY_BYTES, ...options };
  const { status, fields, body } = await requestMember(address, request);
  const type = fields.get("content-type") ?? "";
  if (status === 404 && type.startsWith("application/json")) return undefined;
  if (status !== 200 || !type.startsWith(PROTOBUF)) return "not spoken";
  try {
    return readContents(parseDelimited(body));
  } catch (error) {
    if (!(error instanceof ProtobufFormatError)) throw error;
    throw failure("malformed", address, request, `does not tell its group: ${error.message}`, status, error);
  }
}

function readContents(all: readonly MetricFamily[]): GroupContents {
  const pushTime = timeOf(all, "push_time_seconds");
  const pushFailureTime = timeOf(all, "push_failure_time_seconds");
  // The push times come first: what is behind them was pushed, whatever its name is.
  const families = all.slice(2).map((family) => withPushTime(family, pushTime));
  return { pushTime, pushFailureTime, families, incomplete: false };
}

function timeOf(families: readonly MetricFamily[], name: string): number {
  const value = families.find((family) => family.name === name)?.metrics[0]?.value;
  return typeof value === "number" ? value : 0;
}

/** Samples have the time of their push in milliseconds; that of the last push is known to be what the group has. */
function withPushTime(family: MetricFamily, pushTime: number): ContentFamily {
  const timestampMs = family.metrics[0]?.timestampMs ?? 0;
  const pushedAt = timestampMs === Math.round(pushTime * 1_000) ? pushTime : timestampMs / 1_000;
  const metrics: readonly Metric[] = family.metrics.map((metric) => ({ ...metric, timestampMs: undefined }));
  return { ...family, metrics, pushedAt };
}
