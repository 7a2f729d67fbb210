import { decodeBase64 } from "./base64.ts";
import { type ByteString, decodeUtf8, isValidUtf8, percentDecode } from "./byte-string.ts";
import { goQuote } from "./go-quote.ts";
import { readLabelName } from "./label-name.ts";

export interface Label {
  readonly name: ByteString;
  readonly value: ByteString;
}

/** What a Pushgateway files a group under. All spellings of one key give equal values here. */
export interface GroupingKey {
  readonly job: ByteString;
  /** Without job, sorted by name in byte order, each name once. */
  readonly labels: readonly Label[];
  /**
   * `/metrics/job/<job>/<name>/<value>...`, decoded, in the order of `labels`: what the ring hashes. Not an identity: a value
   * that holds a slash reads like two labels. Such keys merely share their owner.
   */
  readonly canonicalPath: ByteString;
  /**
   * False when a value is not UTF-8. Pushgateway cannot store such a group: it rejects the push and, from then on, every
   * other one, until the group is deleted.
   */
  readonly validUtf8: boolean;
}

/** A path that names no group. The message is the answer for the client: one line, without the newline at its end. */
export class PushPathError extends Error {
  override readonly name = "PushPathError";
  readonly status: 400 | 404;

  constructor(message: string, status: 400 | 404 = 400) {
    super(message);
    this.status = status;
  }
}

export interface PushPathOptions {
  /** Whether the Pushgateways run with --push.enable-utf8-names. It decides which group some paths mean. */
  readonly utf8Names: boolean;
}

const JOB_PREFIX = "/metrics/job/";
const BASE64_SUFFIX = "@base64";
const BASE64_JOB_PREFIX = `/metrics/job${BASE64_SUFFIX}/`;
/** Parts that Go's ServeMux would clean away: empty ones, `.` and `..`. A slash at the end is fine. */
const UNCLEAN = /\/\.{0,2}\/|\/\.{1,2}$/;

const SPACE = 0x20;
const PERCENT = 0x25;
const DOT = 0x2e;
const SLASH = 0x2f;
const DELETE = 0x7f;

/**
 * Whether Pushgateway would take a PUT, POST or DELETE of this path for a group, or redirect it to a path that it takes
 * for one. `path` is a request target in origin form without its query.
 */
export function isPushPath(path: ByteString): boolean {
  if (hasPushPrefix(path)) return true;
  if (!path.startsWith("/")) return false;
  const decoded = percentDecode(path);
  return decoded !== undefined && (hasPushPrefix(decoded) || hasPushPrefix(clean(decoded).toLowerCase()));
}

/**
 * Reads the grouping key from the path of a push exactly as Pushgateway 1.5 to 1.11 does. `path` is a request target in
 * origin form without its query.
 *
 * @throws PushPathError for what Pushgateway refuses, in its own words; for what it would redirect, because most clients
 * lose a push that is redirected so; and with status 404 for what is no push path.
 */
export function parsePushPath(path: ByteString, options: PushPathOptions): GroupingKey {
  const ordinaryParts = splitOrdinaryPath(path);
  const decoded = ordinaryParts === undefined ? decodePushPath(path) : path;
  const prefix = decoded.startsWith(JOB_PREFIX) ? JOB_PREFIX : BASE64_JOB_PREFIX;
  const parts = ordinaryParts ?? decoded.slice(prefix.length).split("/");
  const job = prefix === JOB_PREFIX ? (parts[0] as string) : decodeJob(parts[0] as string);
  const labels = readLabels(parts, options.utf8Names);
  if (job === "") throw new PushPathError("job name is required");
  refuseReservedNames(labels);
  const canonicalPath = isCanonical(decoded, parts, labels) ? decoded : joinPath(job, labels);
  // All decoding shortens, so an ordinary path that kept its length holds the same ASCII as before. For any other: a slash
  // ends every UTF-8 character, so the whole is valid exactly when its parts are.
  const keptAllBytes = ordinaryParts !== undefined && canonicalPath.length === path.length;
  const validUtf8 = keptAllBytes || isValidUtf8(canonicalPath);
  return { job, labels, canonicalPath, validUtf8 };
}

/** The grouping key of these labels, without `job` and in any order, as a Pushgateway lists them; each name once. */
export function groupingKeyOf(job: ByteString, labels: readonly Label[]): GroupingKey {
  const sorted = isAscending(labels) ? labels : sortUnique([...labels]);
  const canonicalPath = joinPath(job, sorted);
  return { job, labels: sorted, canonicalPath, validUtf8: isValidUtf8(canonicalPath) };
}

/**
 * The job, names and values of a path that begins with `/metrics/job/`, is its own decoded form, is ASCII and has nothing
 * to clean away; undefined for any other. Nearly all pushes are like that, and one pass over them is what this saves.
 */
function splitOrdinaryPath(path: ByteString): readonly ByteString[] | undefined {
  if (!path.startsWith(JOB_PREFIX)) return undefined;
  const parts: ByteString[] = [];
  let start = JOB_PREFIX.length;
  for (let i = start; i <= path.length; i++) {
    const byte = i === path.length ? SLASH : path.charCodeAt(i);
    if (byte <= SPACE || byte >= DELETE || byte === PERCENT) return undefined;
    if (byte !== SLASH) continue;
    if (i === start || path.charCodeAt(start) === DOT) return undefined;
    parts.push(path.slice(start, i));
    start = i + 1;
  }
  return parts;
}

/** The decoded path, if Pushgateway's router hands it to the push handler as it is. */
function decodePushPath(path: ByteString): ByteString {
  const decoded = percentDecode(path);
  if (decoded === undefined) {
    throw refusal(path, "a blank, a control character or a stray percent sign; write a percent sign as %25");
  }
  const isUnclean = UNCLEAN.test(decoded);
  if (hasPushPrefix(decoded) && !isUnclean) return decoded;
  if (!isPushPath(path)) throw new PushPathError("404 page not found", 404);
  if (!isUnclean) throw refusal(path, "capital letters before the job; write /metrics/job");
  throw decoded.includes("//")
    ? refusal(path, 'an empty part ("//"); write an empty value in base64, as in <name>@base64/=')
    : refusal(path, 'a part "." or ".."; write such a value in base64, as in <name>@base64/Li4');
}

function refusal(path: ByteString, problem: string): PushPathError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}...` : path;
  return new PushPathError(`Cannot push to ${goQuote(shown)}: it has ${problem}`);
}

function hasPushPrefix(decoded: ByteString): boolean {
  return decoded.startsWith(JOB_PREFIX) || decoded.startsWith(BASE64_JOB_PREFIX);
}

/** Drops empty and `.` parts and resolves `..`, as Go's ServeMux does before it redirects. */
function clean(path: ByteString): ByteString {
  const kept: ByteString[] = [];
  for (const part of path.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}

function decodeJob(text: ByteString): ByteString {
  const job = decodeBase64(text);
  if (typeof job === "string") return job;
  // By the time Pushgateway quotes the job, it holds what could be decoded.
  throw new PushPathError(`invalid base64 encoding in job name ${goQuote(job.decodedBefore)}: ${job.problem}`);
}

/** Reads the labels from the parts after the job, in pairs of name and value. */
function readLabels(parts: readonly ByteString[], utf8Names: boolean): readonly Label[] {
  const labels: Label[] = [];
  if (parts.length === 2 && parts[1] === "") return labels;
  if (parts.length % 2 === 0) {
    const all = goQuote(`/${parts.slice(1).join("/")}`);
    throw new PushPathError(`odd number of components in label string ${all}`);
  }
  for (let i = 1; i < parts.length; i += 2) {
    const label = readLabel(parts[i] as string, parts[i + 1] as string, utf8Names);
    // The job at the beginning of the path wins over any later one.
    if (label.name !== "job") labels.push(label);
  }
  return isAscending(labels) ? labels : sortUnique(labels);
}

function readLabel(spelledName: ByteString, text: ByteString, utf8Names: boolean): Label {
  const isBase64 = spelledName.endsWith(BASE64_SUFFIX);
  const trimmedName = isBase64 ? spelledName.slice(0, -BASE64_SUFFIX.length) : spelledName;
  const name = readLabelName(trimmedName, utf8Names);
  if (name === undefined) throw new PushPathError(`improper label name ${goQuote(trimmedName)}`);
  if (!isBase64) return { name, value: text };
  const value = decodeBase64(text);
  if (typeof value === "string") return { name, value };
  const label = `${decodeUtf8(trimmedName)}=${goQuote(text)}`;
  throw new PushPathError(`invalid base64 encoding for label ${label}: ${value.problem}`);
}

/**
 * Pushgateway looks for reserved names before it unescapes them. One that gets through cannot be stored: the push is
 * rejected, and every later one, until the group is deleted. Such a push must not reach it.
 */
function refuseReservedNames(labels: readonly Label[]): void {
  const reserved = labels.find(({ name }) => name.startsWith("__"));
  if (reserved !== undefined) throw new PushPathError(`improper label name ${goQuote(reserved.name)}`);
}

function isAscending(labels: readonly Label[]): boolean {
  for (let i = 1; i < labels.length; i++) {
    if ((labels[i - 1] as Label).name >= (labels[i] as Label).name) return false;
  }
  return true;
}

/** Sorts the labels by name; of those with one name the last stays. */
function sortUnique(labels: Label[]): readonly Label[] {
  labels.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return labels.filter(({ name }, i) => name !== labels[i + 1]?.name);
}

/** Whether the path spells the key of these labels canonically already. A value in base64 shows in the spelling of its name. */
function isCanonical(decoded: ByteString, parts: readonly ByteString[], labels: readonly Label[]): boolean {
  if (!decoded.startsWith(JOB_PREFIX) || parts.length !== 1 + 2 * labels.length) return false;
  return labels.every(({ name }, i) => name === parts[1 + 2 * i]);
}

function joinPath(job: ByteString, labels: readonly Label[]): ByteString {
  let path = JOB_PREFIX + job;
  for (const { name, value } of labels) path += `/${name}/${value}`;
  return path;
}
