/** The two halves of a member's address, the host without the brackets of an IPv6 literal. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** Takes `host:port` or `[ipv6]:port` apart. Throws a TypeError where there is no port. */
export function splitAddress(address: string): HostAndPort {
  const match = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new TypeError(`Cannot read the address "${address}": expected host:port`);
  }
  return { host, port };
}

/** The reverse of `splitAddress`: an IPv6 host gets its brackets. */
export function joinAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
