import { type FamilyRange, familyRanges } from "../../exposition/family-ranges.ts";
import { TextFormatError } from "../../exposition/text-parser.ts";
import { streamMember } from "../../pushgateway/member-request.ts";
import type { WorkSlices } from "../../work-slices.ts";
import type { AskedMember, MissingMember } from "../cluster/asked-members.ts";
import type { MemberText } from "./group-copies.ts";

/** Longest text that is read: a million series at 250 bytes each. */
const MAX_TEXT_BYTES = 268_435_456;

/** Families between two looks at the clock. */
const STEP = 256;

// Names are asked for as they are, since they tell groups apart. A Pushgateway that does not know how answers in 0.0.4.
const ACCEPT = "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9,text/plain;version=0.0.4;q=0.8";

/** Asks all members for their metrics at once. The texts are in the order of the members; who fails costs no other anything. */
export async function readMemberTexts(
  members: readonly AskedMember[],
  slices: WorkSlices,
  signal: AbortSignal,
): Promise<{ readonly texts: readonly MemberText[]; readonly missing: readonly MissingMember[] }> {
  const settled = await Promise.allSettled(members.map((member) => readMemberText(member, slices, signal)));
  signal.throwIfAborted();
  const texts: MemberText[] = [];
  const missing: MissingMember[] = [];
  for (const [index, result] of settled.entries()) {
    if (result.status === "fulfilled") texts.push(result.value);
    else missing.push({ address: members[index]?.address ?? "", error: result.reason });
  }
  return { texts, missing };
}

async function readMemberText(
  { address, timeoutMs }: AskedMember,
  slices: WorkSlices,
  signal: AbortSignal,
): Promise<MemberText> {
  const chunks: Buffer[] = [];
  let length = 0;
  const request = { method: "GET", target: "/metrics", headers: ["Accept", ACCEPT], timeoutMs, signal };
  await streamMember(address, request, (chunk) => {
    length += chunk.length;
    if (length > MAX_TEXT_BYTES) throw new TextFormatError(`its metrics exceed ${MAX_TEXT_BYTES} bytes`);
    chunks.push(chunk);
  });
  const bytes = Buffer.concat(chunks, length);
  if (length > 0 && bytes.at(-1) !== 0x0a) throw new TextFormatError("its metrics do not end with a line");
  const families: FamilyRange[] = [];
  for (const range of familyRanges(bytes)) {
    if (families.push(range) % STEP === 0 && slices.isOver) await slices.next();
  }
  return { address, bytes, families };
}
