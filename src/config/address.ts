import { isIP, isIPv6 } from "node:net";

/** Where the router accepts connections. */
export interface ListenAddress {
  /** An IP address without brackets or a host name; empty for every interface, as Go's `:9292` means it. */
  readonly hostname: string;
  /** 0 lets the operating system choose. */
  readonly port: number;
}

interface HostAndPort {
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * `host:port` of a server, IPv6 hosts in brackets. Takes `host`, `host:port`, `[v6]:port`, `[v6]` and a bare IPv6
 * address; `defaultPort` stands in for a missing port and is an error when it is undefined. The host is kept as it is
 * written, since the ring hashes it. Throws a RangeError that says what was expected.
 */
export function parseServerAddress(text: string, defaultPort?: number): string {
  const { host, port = defaultPort } = splitHostPort(text, "host:port, a host name or an IP address");
  if (host === "") throw new RangeError(`expected a host before the colon, got "${text}"`);
  if (port === undefined)
    throw new RangeError(`expected host:port such as "localhost:8500", got "${text}" without a port`);
  if (port === 0) throw new RangeError(`expected a port between 1 and 65535, got "${text}"`);
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** Takes `:9292`, `0.0.0.0:9292`, `localhost:9292` and `[::1]:9292`. Throws a RangeError that says what was expected. */
export function parseListenAddress(text: string): ListenAddress {
  const expected = 'an address to listen on such as ":9292" or "127.0.0.1:9292"';
  const { host, port } = splitHostPort(text, expected);
  if (port === undefined) throw new RangeError(`expected ${expected}, got "${text}"`);
  return { hostname: host, port };
}

/** The address as parseListenAddress() reads it. */
export function formatListenAddress({ hostname, port }: ListenAddress): string {
  return `${isIPv6(hostname) ? `[${hostname}]` : hostname}:${port}`;
}

function splitHostPort(text: string, expected: string): HostAndPort {
  // Not quoted in the message: what stands before the @ may be a password.
  if (text.includes("@")) throw new RangeError(`expected ${expected}, without user name and password`);
  if (text.includes("://")) throw new RangeError(`expected ${expected}, without a scheme, got "${text}"`);
  // A zone means an interface of this machine only; Consul and Prometheus could do nothing with it.
  if (text.includes("%")) throw new RangeError(`expected ${expected}, without an IPv6 zone, got "${text}"`);
  if (isIPv6(text)) return { host: text, port: undefined };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? [];
  const port = digits === undefined ? undefined : parsePort(digits, text);
  if (bracketed !== undefined) {
    if (isIPv6(bracketed)) return { host: bracketed, port };
    throw new RangeError(`expected an IPv6 address between the brackets, got "${text}"`);
  }
  if (plain === undefined || !(plain === "" || isHostName(plain))) {
    throw new RangeError(`expected ${expected}, got "${text}"`);
  }
  return { host: plain, port };
}

/** Names that end in a number are IPv4 addresses or typing mistakes such as 10.0.0.256 (WHATWG URL §3.5). */
function isHostName(host: string): boolean {
  if (isIP(host) !== 0) return true;
  const labels = host.replace(/\.$/, "").split(".");
  return host.length <= 253 && labels.every(isHostLabel) && !/^\d+$/.test(labels.at(-1) ?? "");
}

function isHostLabel(label: string): boolean {
  return /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label);
}

function parsePort(digits: string, text: string): number {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(port <= 65_535)) throw new RangeError(`expected a port up to 65535 after the colon, got "${text}"`);
  return port;
}
