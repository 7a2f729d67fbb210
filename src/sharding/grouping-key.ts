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
/** Where the labels begin among the parts of a path: after an empty one, `metrics`, `job` and the job. */
const FIRST_LABEL = 4;

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
  const plainParts = splitPlainPath(path);
  const decoded = plainParts === undefined ? decodePath(path) : path;
  const parts = plainParts ?? decoded.split("/");
  checkRoute(path, decoded, parts);
  const job = readJob(parts);
  const labels = readLabels(parts, options.utf8Names);
  if (job === "") throw new PushPathError("job name is required");
  refuseReservedNames(labels);
  const canonicalPath = isCanonical(parts, labels) ? decoded : joinPath(job, labels);
  // All decoding shortens, so a plain path that kept its length holds the same ASCII as before. For any other: a slash ends
  // every UTF-8 character, so the whole is valid exactly when its parts are.
  const keptAllBytes = plainParts !== undefined && canonicalPath.length === path.length;
  const validUtf8 = keptAllBytes || isValidUtf8(canonicalPath);
  return { job, labels, canonicalPath, validUtf8 };
}

/**
 * The parts between the slashes of a path that is its own decoded form and plain ASCII; undefined for any other. Most
 * pushes are plain, and one pass over them is what this saves.
 */
function splitPlainPath(path: ByteString): readonly ByteString[] | undefined {
  const parts: ByteString[] = [];
  let start = 0;
  for (let i = 0; i < path.length; i++) {
    const byte = path.charCodeAt(i);
    if (byte <= SPACE || byte >= DELETE || byte === PERCENT) return undefined;
    if (byte !== SLASH) continue;
    parts.push(path.slice(start, i));
    start = i + 1;
  }
  parts.push(path.slice(start));
  return parts;
}

const SPACE = 0x20;
const PERCENT = 0x25;
const SLASH = 0x2f;
const DELETE = 0x7f;

function decodePath(path: ByteString): ByteString {
  const decoded = percentDecode(path);
  if (decoded !== undefined) return decoded;
  throw refusal(path, "a blank, a control character or a stray percent sign; write a percent sign as %25");
}

/** Lets through what Pushgateway's router hands to its push handler as it is. */
function checkRoute(path: ByteString, decoded: ByteString, parts: readonly ByteString[]): void {
  const isClean = parts.every(
    (part, i) => part !== "." && part !== ".." && (part !== "" || i === 0 || i === parts.length - 1),
  );
  if (isClean && hasPushPrefix(decoded)) return;
  if (!isPushPath(path)) throw new PushPathError("404 page not found", 404);
  if (isClean) throw refusal(path, "capital letters before the job; write /metrics/job");
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

function readJob(parts: readonly ByteString[]): ByteString {
  const [, , kind, text] = parts as [string, string, string, string];
  if (kind === "job") return text;
  const job = decodeBase64(text);
  if (typeof job === "string") return job;
  // By the time Pushgateway quotes the job, it holds what could be decoded.
  throw new PushPathError(`invalid base64 encoding in job name ${goQuote(job.decodedBefore)}: ${job.problem}`);
}

function readLabels(parts: readonly ByteString[], utf8Names: boolean): readonly Label[] {
  const labels: Label[] = [];
  if (parts.length === FIRST_LABEL + 1 && parts[FIRST_LABEL] === "") return labels;
  if ((parts.length - FIRST_LABEL) % 2 !== 0) {
    const all = goQuote(`/${parts.slice(FIRST_LABEL).join("/")}`);
    throw new PushPathError(`odd number of components in label string ${all}`);
  }
  for (let i = FIRST_LABEL; i < parts.length; i += 2) {
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

/** Whether these parts spell the key of these labels canonically already. */
function isCanonical(parts: readonly ByteString[], labels: readonly Label[]): boolean {
  if (parts[2] !== "job" || parts.length !== FIRST_LABEL + 2 * labels.length) return false;
  return labels.every(
    ({ name, value }, i) => name === parts[FIRST_LABEL + 2 * i] && value === parts[FIRST_LABEL + 2 * i + 1],
  );
}

function joinPath(job: ByteString, labels: readonly Label[]): ByteString {
  let path = JOB_PREFIX + job;
  for (const { name, value } of labels) path += `/${name}/${value}`;
  return path;
}
