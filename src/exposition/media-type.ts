import type { NameEscaping } from "./text-labels.ts";

/** A media type with its parameters (RFC 9110 §8.3.1). Names are in lower case. */
export interface MediaType {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A parameter with the semicolon before it; its value is a token or a quoted string. */
const PARAMETER = /^[ \t]*;[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+\-.^_`|~0-9A-Za-z]+))/;

/** Reads one media type; undefined for what is none. */
export function parseMediaType(text: string): MediaType | undefined {
  const semicolon = text.indexOf(";");
  const type = (semicolon === -1 ? text : text.slice(0, semicolon)).trim().toLowerCase();
  if (type === "") return undefined;
  const parameters = new Map<string, string>();
  let rest = semicolon === -1 ? "" : text.slice(semicolon);
  for (;;) {
    const match = PARAMETER.exec(rest);
    if (match === null) break;
    const [whole, name = "", quoted, token = ""] = match;
    parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, "$1") ?? token);
    rest = rest.slice(whole.length);
  }
  return /^[ \t;]*$/.test(rest) ? { type, parameters } : undefined;
}

const PROTOBUF = "application/vnd.google.protobuf";
const FAMILY_MESSAGE = "io.prometheus.client.MetricFamily";

/** Whether it announces delimited messages of io.prometheus.client.MetricFamily. */
export function isDelimitedProtobuf({ type, parameters }: MediaType): boolean {
  return type === PROTOBUF && parameters.get("proto") === FAMILY_MESSAGE && parameters.get("encoding") === "delimited";
}

/** How an exposition is written. */
export interface ExpositionFormat {
  readonly kind: "text" | "protobuf";
  readonly escaping: NameEscaping;
}

const CONTENT_TYPES = {
  text: "text/plain; version=0.0.4; charset=utf-8",
  protobuf: `${PROTOBUF}; proto=${FAMILY_MESSAGE}; encoding=delimited`,
};

/** The Content-Type of a format, in the words of Prometheus' client libraries. */
export function contentTypeOf({ kind, escaping }: ExpositionFormat): string {
  return `${CONTENT_TYPES[kind]}; escaping=${escaping}`;
}

/** The format that an Accept header prefers of those that there are: text where it names none. */
export function negotiateFormat(accept: string | undefined): ExpositionFormat {
  const clauses = (accept ?? "").split(",").flatMap((clause) => parseMediaType(clause) ?? []);
  clauses.sort((a, b) => qualityOf(b) - qualityOf(a));
  let escaping: NameEscaping = "underscores";
  for (const clause of clauses) {
    const wanted = clause.parameters.get("escaping");
    // As client libraries do it, a preferred format that does not exist here still tells what names are understood.
    if (wanted !== undefined) escaping = wanted === "allow-utf-8" ? wanted : "underscores";
    const kind = kindOf(clause);
    if (kind !== undefined) return { kind, escaping };
  }
  return { kind: "text", escaping };
}

function kindOf(clause: MediaType): ExpositionFormat["kind"] | undefined {
  if (qualityOf(clause) === 0) return undefined;
  if (isDelimitedProtobuf(clause)) return "protobuf";
  const version = clause.parameters.get("version") ?? "0.0.4";
  return clause.type === "text/plain" && version === "0.0.4" ? "text" : undefined;
}

/** Whether an Accept-Encoding header prefers gzip to no encoding. */
export function prefersGzip(acceptEncoding: string | undefined): boolean {
  const clauses = (acceptEncoding ?? "").split(",").flatMap((clause) => parseMediaType(clause) ?? []);
  const quality = (encoding: string) => clauses.filter(({ type }) => type === encoding).map(qualityOf)[0] ?? 0;
  return quality("gzip") > 0 && quality("gzip") >= quality("identity");
}

function qualityOf({ parameters }: MediaType): number {
  const quality = Number(parameters.get("q") ?? 1);
  return quality >= 0 && quality <= 1 ? quality : 1;
}
