import { type ByteString, decodeUtf8 } from "../sharding/byte-string.ts";
import type { LabelPairs } from "./model.ts";

const LEGACY_METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const LEGACY_LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const TO_ESCAPE = /[\\\n"]/;

const ILLEGAL_CHARACTER = /[^a-zA-Z0-9_:]/gu;

/** What becomes of names that the text format 0.0.4 does not know: underscores for what it cannot show, or quotes, which some readers take. */
export type NameEscaping = "underscores" | "allow-utf-8";

export function isLegacyMetricName(name: ByteString): boolean {
  return LEGACY_METRIC_NAME.test(name);
}

/** The name as the text format 0.0.4 can show it, with underscores for what it cannot. Several names may look alike so. */
export function exposedName(name: ByteString): ByteString {
  return LEGACY_METRIC_NAME.test(name) ? name : toUnderscores(name);
}

/** `labelsText` as the text format 0.0.4 can show it, with underscores in names like those of `exposedName`. */
export function exposedLabels(labels: LabelPairs, labelsText: ByteString): ByteString {
  if (!mayHoldQuotedNames(labelsText)) return labelsText;
  const exposed = labels.map((part, index) =>
    index % 2 === 1 || isLegacyLabelName(part) ? part : toUnderscores(part).replaceAll(":", "_"),
  );
  return formatLabels(exposed);
}

/** False only when all names of a text of labels are legacy ones. */
export function mayHoldQuotedNames(labelsText: ByteString): boolean {
  return labelsText.startsWith('"') || labelsText.includes(',"');
}

function toUnderscores(name: ByteString): ByteString {
  const text = decodeUtf8(name).replaceAll(ILLEGAL_CHARACTER, "_");
  return /^[0-9]/.test(text) ? `_${text.slice(1)}` : text;
}

export function isLegacyLabelName(name: ByteString): boolean {
  return LEGACY_LABEL_NAME.test(name);
}

/** The text between the braces of a line, without a comma at the end. Names that the format 0.0.4 does not know are quoted. */
export function formatLabels(labels: LabelPairs): ByteString {
  let text = "";
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i] as ByteString;
    if (i > 0) text += ",";
    text += `${isLegacyLabelName(name) ? name : `"${escapeQuoted(name)}"`}="${escapeQuoted(labels[i + 1] as ByteString)}"`;
  }
  return text;
}

function escapeQuoted(value: ByteString): ByteString {
  if (!TO_ESCAPE.test(value)) return value;
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}

/** The reverse of `escapeQuoted`. A backslash before anything else stays. */
export function unescapeQuoted(text: ByteString): ByteString {
  if (!text.includes("\\")) return text;
  return text.replaceAll(/\\([\\n"])/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
}

/** A metric's name as the version 1.0.0 of the text format writes it before its braces or in a heading. */
export function quotedName(name: ByteString): ByteString {
  return LEGACY_METRIC_NAME.test(name) ? name : `"${escapeQuoted(name)}"`;
}

export function escapeHelp(help: ByteString): ByteString {
  if (!TO_ESCAPE.test(help)) return help;
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
