// Below the range from which the kernel takes ports for outgoing connections, so none of those can snatch a port between its
// choice and its use.
const LOWEST = 15_000;
const HIGHEST = 32_000;
const ATTEMPTS = 200;

// Ports handed out stay taken for the life of the process: a server that is down for a while must find its port again.
const handedOut = new Set<number>();

/** A port that is free on every given loopback address; no port is handed out twice by one process. */
export function freePort(...hosts: readonly string[]): number {
  const addresses = hosts.length === 0 ? ["127.0.0.1"] : hosts;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (handedOut.has(port) || !addresses.every((host) => canListen(host, port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`Cannot find a free port on "${addresses.join(", ")}": ${ATTEMPTS} ports tried`);
}

function canListen(hostname: string, port: number): boolean {
  try {
    Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
