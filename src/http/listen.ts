import type { TCPSocketListener, TCPSocketListenOptions } from "bun";

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; stop it or choose another port",
  EADDRNOTAVAIL: "this machine does not have that address",
  EACCES: "permission denied; ports below 1024 need privileges",
};

/**
 * Bun.listen() with errors for people, and an empty host name for every interface: IPv6 and IPv4 where the kernel has both.
 * Throws an error that names the address when it cannot be bound.
 */
export function listen<Data>(options: TCPSocketListenOptions<Data>): TCPSocketListener<Data> {
  const { hostname, port } = options;
  try {
    return hostname === "" ? listenEverywhere(options) : Bun.listen(options);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const address = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    throw new Error(`Cannot listen on "${address}": ${REASONS[code ?? ""] ?? message}`);
  }
}

function listenEverywhere<Data>(options: TCPSocketListenOptions<Data>): TCPSocketListener<Data> {
  try {
    return Bun.listen({ ...options, hostname: "::" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") throw error;
    // A kernel without IPv6 knows no such address. What else may be wrong is wrong for IPv4, too.
    return Bun.listen({ ...options, hostname: "0.0.0.0" });
  }
}

/** How many ports are tried before the search is given up. */
const MAX_TRIED_PORTS = 1_000;

/** The first port from this one on that nobody listens on at the moment; `firstPort` itself when there seems to be none. */
export function nextFreePort(hostname: string, firstPort: number): number {
  if (firstPort === 0) return 0;
  const last = Math.min(65_535, firstPort + MAX_TRIED_PORTS);
  for (let port = firstPort; port <= last; port++) {
    if (isFree(hostname, port)) return port;
  }
  return firstPort;
}

function isFree(hostname: string, port: number): boolean {
  try {
    listen({ hostname, port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
