import type { LabelPairs } from "../../exposition/model.ts";
import { type ByteString, decodeUtf8 } from "../../sharding/byte-string.ts";
import type { Group, GroupStore } from "../group-store.ts";
import type { Answer } from "./route.ts";

/** More groups than this make a page that nobody reads and some browsers cannot show. */
const MAX_SHOWN_GROUPS = 1_000;

export interface StatusPageOptions {
  readonly version: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly startedAt: Date;
  readonly telemetryPath: string;
}

/** A page for people: which groups there are, with what and since when, and how the server runs. No scripts. */
export function statusPage(store: GroupStore, options: StatusPageOptions): Answer {
  return (exchange) => {
    exchange.respond(200, HEADERS, page(store, options));
  };
}

const HEADERS = [
  "Content-Type",
  "text/html; charset=utf-8",
  "X-Content-Type-Options",
  "nosniff",
  "Content-Security-Policy",
  "default-src 'none'; style-src 'unsafe-inline'",
];

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}
code{font-size:13px}.failed{color:#b00020}`;

function page(store: GroupStore, { version, flags, startedAt, telemetryPath }: StatusPageOptions): string {
  const shown = [...take(store.groups(), MAX_SHOWN_GROUPS)];
  const more = store.size > shown.length ? `<p>The first ${shown.length} of ${store.size} groups.</p>` : "";
  const flagRows = Object.entries(flags).map(([name, value]) => row([`--${name}`, value].map(code)));
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Pushgateway (dynamic-sharding)</title><style>${STYLE}</style></head><body>
<h1>Pushgateway</h1>
<p>The embedded Pushgateway of dynamic-sharding ${escapeHtml(version)}, since ${escapeHtml(startedAt.toISOString())}.
<a href="${escapeHtml(telemetryPath.slice(1))}">Metrics</a></p>
<h2>Groups: ${store.size}</h2>
${more}<table><thead>${row(["Grouping key", "Last push", "Last failed push", "Metrics"], "th")}</thead>
<tbody>${shown.map(groupRow).join("\n")}</tbody></table>
<h2>Flags</h2>
<table><tbody>${flagRows.join("\n")}</tbody></table>
</body></html>
`;
}

function groupRow({ labels, pushTime, pushFailureTime, families }: Group): string {
  const failed = time(pushFailureTime);
  const failure = pushFailureTime > pushTime ? `<span class="failed">${failed}</span>` : failed;
  return row([labelsOf(labels.key), time(pushTime), failure, families.map(({ name }) => code(text(name))).join(" ")]);
}

function labelsOf(pairs: LabelPairs): string {
  let shown = "";
  for (let i = 0; i < pairs.length; i += 2) {
    shown += `${code(`${text(pairs[i] as ByteString)}="${text(pairs[i + 1] as ByteString)}"`)} `;
  }
  return shown;
}

function time(seconds: number): string {
  return seconds === 0 ? "never" : new Date(seconds * 1000).toISOString();
}

function row(cells: readonly string[], tag = "td"): string {
  return `<tr>${cells.map((cell) => `<${tag}>${cell}</${tag}>`).join("")}</tr>`;
}

function code(content: string): string {
  return `<code>${escapeHtml(content)}</code>`;
}

function text(bytes: ByteString): string {
  return decodeUtf8(bytes);
}

function escapeHtml(content: string): string {
  return Bun.escapeHTML(content);
}

function* take<Item>(items: Iterable<Item>, count: number): Iterable<Item> {
  let left = count;
  for (const item of items) {
    if (left-- === 0) return;
    yield item;
  }
}
