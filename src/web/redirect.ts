import type { HeaderFields } from "../http/header-fields.ts";

/** How pushes are handed on. `auto` redirects the clients that are known to cope with it and proxies the rest. */
export type RoutingMode = "proxy" | "redirect" | "auto";

/**
 * User agents that follow a 307 with method and body: Go's net/http, Java's HttpURLConnection, PHP's Guzzle and wget.
 * Not listed: clients that fail on it (Python, Ruby, Perl, curl), that take it for a success and lose the push (Node's
 * prom-client, prometheus-cpp), and those that send no User-Agent and so cannot be told from these (.NET, Rust).
 */
const FOLLOWS_307 = /^(?:Go-http-client|Java|GuzzleHttp|Wget)\//;

/**
 * Whether to redirect this push. Never a DELETE: many clients do not follow it. In `auto` mode never one with credentials
 * either: clients drop them on the way to another host, or worse, take them along.
 */
export function shouldRedirect(mode: RoutingMode, method: string, fields: HeaderFields): boolean {
  if (mode === "proxy" || method === "DELETE") return false;
  if (mode === "redirect") return true;
  return FOLLOWS_307.test(fields.get("user-agent") ?? "") && fields.get("authorization") === undefined;
}

// What a URI may hold as it is (RFC 3986 §2), percent signs included, as the target is encoded already.
const URI_SAFE = /^[A-Za-z0-9\-._~!$&'()*+,;=:@/?%[\]]*$/;

/**
 * The URL of the same push at a member: its target byte for byte, except that bytes with no place in a URI are
 * percent-encoded. Pushgateway decodes once and so sees the same path; a `#` left alone would be cut off by the client.
 */
export function pushUrl(address: string, target: string): string {
  const safe = URI_SAFE.test(target)
    ? target
    : target.replaceAll(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/?%[\]]/g, percentEncode);
  return `http://${address}${safe}`;
}

function percentEncode(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}
